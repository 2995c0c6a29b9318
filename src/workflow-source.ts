/** Where the workflows come from: bundled by the build, or from their sources when the sources are what runs. */
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

export type WorkflowSource = Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'bundlerOptions'>;

export function workflowSource(): WorkflowSource {
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const entry = path('../workflows/index.ts');
  // Evaluated once and frozen, not once for each session: a fifth of the workflow thread's time in a create
  // (docs/decisions/0010-cost-of-a-create.md). It asks that no module of a workflow holds state of its own.
  return import.meta.url.endsWith('.ts')
    ? { workflowsPath: entry, bundlerOptions: { preloadModules: [entry] } }
    : { workflowBundle: { codePath: path('../workflow-bundle.js') } };
}
