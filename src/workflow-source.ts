/** Where the workflows come from: bundled by the build, or from their sources when the sources are what runs. */
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

export type WorkflowSource = Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'>;

export function workflowSource(): WorkflowSource {
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  return import.meta.url.endsWith('.ts')
    ? { workflowsPath: path('../workflows/index.ts') }
    : { workflowBundle: { codePath: path('../workflow-bundle.js') } };
}
