/** Runs workflow code against histories, without a server. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, type ReplayResult, Runtime, Worker } from '@temporalio/worker';
import type { RecordedHistory } from './histories.ts';

type Bundle = ReturnType<typeof bundleWorkflowCode>;

export interface FailedReplay {
  readonly version: string;
  readonly shape: string;
  readonly error: NonNullable<ReplayResult['error']>;
}

/** Those that the workflow code does not replay. */
export async function replay(
  histories: readonly RecordedHistory[],
  bundle: Bundle = currentBundle(),
): Promise<readonly FailedReplay[]> {
  quieten();
  const failed: FailedReplay[] = [];
  const queue = histories.map(({ history, shape, version }) => ({
    history,
    workflowId: history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? `${version}/${shape}`,
  }));
  let index = 0;
  for await (const { error } of Worker.runReplayHistories({ workflowBundle: await bundle }, queue)) {
    const recorded = histories[index];
    index += 1;
    if (error !== undefined && recorded !== undefined) failed.push({ ...recorded, error });
  }
  if (index !== histories.length) throw new Error(`${index} of ${histories.length} histories were replayed`);
  return failed;
}

let current: Bundle | null = null;

/** Of the workflows as they are; made once per test process. */
function currentBundle(): Bundle {
  current ??= bundleOf('../../workflows/index.ts');
  return current;
}

/** @param entry of the workflows, relative to this folder; it may export `interceptors` as well */
export function bundleOf(entry: string): Bundle {
  const workflowsPath = fileURLToPath(new URL(entry, import.meta.url));
  return bundleWorkflowCode({
    workflowsPath,
    payloadConverterPath: fileURLToPath(new URL('../../workflows/payload-converter.ts', import.meta.url)),
    // As in production: modules are evaluated once, not once for each session.
    preloadModules: [workflowsPath],
    workflowInterceptorModules: entry.startsWith('./broken/') ? [workflowsPath] : [],
    logger: new DefaultLogger('ERROR'),
  });
}

/** A history that does not replay is an answer here, not something to report on standard error. */
function quieten(): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('ERROR', () => undefined),
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    });
  } catch {
    // A server of this process has installed one, as quiet.
  }
}
