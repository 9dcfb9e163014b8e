// What the examples do in the world. A project would send a message here.

export async function notify(text: string): Promise<void> {
  console.log(`notice: ${text}`);
}
