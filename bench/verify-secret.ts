/** What the bench signs with, in one process, and the ingress verifies with, in another. */
export const VERIFY_SECRET = 'whsec_of-a-bench-that-guards-nothing';
