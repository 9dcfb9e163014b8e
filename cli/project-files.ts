// The files of a new project, as `nextevent init` writes them.

/** What the package.json of a project must have. */
export interface ProjectPackage {
  readonly type: 'module';
  readonly scripts: Readonly<Record<string, string>>;
}

export const PROJECT_PACKAGE: ProjectPackage = {
  type: 'module',
  scripts: {
    dev: 'nextevent dev',
    build: 'tsc',
    start: 'nextevent dev --no-reload --config dist/nextevent.config.js',
  },
};

/** The text of each file, by its path. */
export function projectFiles(name: string, version: string): Readonly<Record<string, string>> {
  return {
    'nextevent.config.ts': CONFIG,
    'workflows/index.ts': WORKFLOWS,
    'package.json': packageOf(name, version),
    'tsconfig.json': TSCONFIG,
    '.gitignore': 'node_modules\ndist\n.nextevent\n',
  };
}

const CONFIG = `// Where events come from, and what they start. A source's name is what follows /webhooks/ in its
// address.

import { defineConfig, webhook } from 'nextevent';

import type * as workflows from './workflows/index.ts';

export default defineConfig<typeof workflows>({
  workflowsPath: './workflows/index.ts',
  sources: { hello: webhook({ verify: 'none' }) },
  triggers: [
    { name: 'on-hello', source: 'hello', filter: "event_type == 'post'", workflow: 'hello' },
  ],
});
`;

const WORKFLOWS = `// The workflows of this project: every function that is exported here is one.

import { nextEvent, subscribe, type Event, type WebhookData } from 'nextevent/workflow';

/** Started by a POST to /webhooks/hello, and woken by the next. */
export async function hello(first: Event<WebhookData>): Promise<string> {
  // From here on: the POST that started this workflow is not among what it receives.
  const posts = await subscribe('hello', "event_type == 'post'");

  // A restart of everything forgets nothing.
  const next = await nextEvent<WebhookData>(posts, { timeout: '1 day' });

  if (next === undefined) return \`\${first.data.body.text}, and then nothing for a day\`;
  return \`\${first.data.body.text}, then \${next.data.body.text}\`;
}
`;

const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2022",
    "lib": ["es2023"],
    "module": "nodenext",
    "types": ["node"],
    "strict": true,
    "rewriteRelativeImportExtensions": true,
    "sourceMap": true,
    "rootDir": ".",
    "outDir": "dist",
    "skipLibCheck": true
  },
  "include": ["*.ts", "workflows"]
}
`;

function packageOf(name: string, version: string): string {
  const content = {
    name,
    private: true,
    ...PROJECT_PACKAGE,
    dependencies: { nextevent: `^${version}` },
    devDependencies: { '@types/node': '^20.19.0', typescript: '^7.0.2' },
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}
