// GitHub, GitLab and Linear.

import { NO_HEADERS, type Samples } from './sample.ts';

const repository = {
  id: 1296269,
  name: 'hello-world',
  full_name: 'octocat/hello-world',
  private: false,
  owner: { login: 'octocat', id: 1, type: 'User' },
  html_url: 'https://github.com/octocat/hello-world',
  default_branch: 'main',
};
const sender = { login: 'octocat', id: 1, type: 'User' };
const pullRequest = {
  id: 279147437,
  number: 7,
  state: 'open',
  title: 'Update the README with new information',
  user: sender,
  body: 'This is a pretty simple change.',
  draft: false,
  merged: false,
  head: { ref: 'changes', sha: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821' },
  base: { ref: 'main', sha: 'f95f852bd8fca8fcc58a9a2d6c842781e32a215e' },
  html_url: 'https://github.com/octocat/hello-world/pull/7',
};
const issue = {
  id: 444500041,
  number: 3,
  title: 'Spelling error in the README file',
  state: 'open',
  user: sender,
  labels: [{ id: 1362934389, name: 'bug' }],
  body: 'It looks like you accidentally spelled something wrong.',
};

export const github: Samples = {
  headers: (type, { id }) => ({ 'x-github-event': type, 'x-github-delivery': id }),
  bodies: {
    'pull_request.opened': () => ({
      action: 'opened',
      number: 7,
      pull_request: pullRequest,
      repository,
      sender,
    }),
    'pull_request.closed': () => ({
      action: 'closed',
      number: 7,
      pull_request: { ...pullRequest, state: 'closed', merged: true },
      repository,
      sender,
    }),
    'pull_request_review.submitted': ({ at }) => ({
      action: 'submitted',
      review: { id: 237895671, state: 'approved', body: null, submitted_at: at, user: sender },
      pull_request: pullRequest,
      repository,
      sender,
    }),
    push: ({ at }) => ({
      ref: 'refs/heads/main',
      before: '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
      after: '0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c',
      commits: [
        {
          id: '0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c',
          message: 'Update README.md',
          timestamp: at,
          author: { name: 'octocat', email: 'octocat@github.com' },
          added: [],
          removed: [],
          modified: ['README.md'],
        },
      ],
      pusher: { name: 'octocat', email: 'octocat@github.com' },
      repository,
      sender,
    }),
    'issues.opened': () => ({ action: 'opened', issue, repository, sender }),
    'issue_comment.created': ({ at }) => ({
      action: 'created',
      issue,
      comment: {
        id: 492700400,
        body: "You're right, I'll fix this.",
        user: sender,
        created_at: at,
      },
      repository,
      sender,
    }),
    ping: () => ({ zen: 'Keep it logically awesome.', hook_id: 30, hook: { type: 'Repository' } }),
  },
};

const user = { id: 1, name: 'Administrator', username: 'root' };
const project = {
  id: 15,
  name: 'Diaspora',
  path_with_namespace: 'mike/diaspora',
  web_url: 'https://gitlab.example.com/mike/diaspora',
  default_branch: 'main',
};

export const gitlab: Samples = {
  headers: NO_HEADERS,
  bodies: {
    push: ({ at }) => ({
      object_kind: 'push',
      event_name: 'push',
      before: '95790bf891e76fee5e1747ab589903a6a1f80f22',
      after: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
      ref: 'refs/heads/main',
      user_id: 1,
      user_username: 'root',
      project,
      commits: [
        {
          id: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
          message: 'fixed readme',
          timestamp: at,
          author: { name: 'Mike', email: 'mike@example.com' },
        },
      ],
      total_commits_count: 1,
    }),
    'merge_request.open': () => ({
      object_kind: 'merge_request',
      event_type: 'merge_request',
      user,
      project,
      object_attributes: {
        id: 99,
        iid: 1,
        title: 'MS-Viewport',
        state: 'opened',
        action: 'open',
        source_branch: 'ms-viewport',
        target_branch: 'main',
      },
    }),
    'pipeline.success': () => ({
      object_kind: 'pipeline',
      object_attributes: { id: 31, iid: 3, ref: 'main', status: 'success', duration: 63 },
      user,
      project,
    }),
  },
};

export const linear: Samples = {
  headers: (type, { id }) => ({ 'linear-event': type, 'linear-delivery': id }),
  bodies: {
    'Issue.create': ({ at }) => ({
      action: 'create',
      type: 'Issue',
      createdAt: at,
      organizationId: '6a1a5a1f-2f4d-4f0c-9d3e-6a8a3b6b8c6d',
      webhookTimestamp: at.getTime(),
      webhookId: '000042e3-d123-4980-b49f-8e140eef9329',
      url: 'https://linear.app/acme/issue/LIN-1778/foo-bar',
      data: {
        id: '2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9',
        identifier: 'LIN-1778',
        title: 'Foo bar',
        priority: 2,
        state: { name: 'Todo', type: 'unstarted' },
        teamId: '72b2a2dc-6f4f-4423-9d34-24b5bd10634a',
      },
    }),
    'Comment.create': ({ at }) => ({
      action: 'create',
      type: 'Comment',
      createdAt: at,
      webhookTimestamp: at.getTime(),
      webhookId: '000042e3-d123-4980-b49f-8e140eef9329',
      data: {
        id: 'a2c3d0f4-0b6d-4d52-93c1-f2a1f4f9e5a1',
        body: 'Indeed, I think this is definitely an improvement.',
        issueId: '2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9',
      },
    }),
  },
};
