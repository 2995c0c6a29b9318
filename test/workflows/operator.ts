/** An operator at a terminal: Temporal's own command line, which encodes what is typed as Temporal UI does. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { commonVariables } from '../harness/processes.ts';
import type { Site } from '../harness/server.ts';
import { temporalCliPath } from '../harness/temporal.ts';

export interface Operator {
  /** @param typed the signal's payload as typed; none when left out */
  signal(workflowId: string, name: string, typed?: string): Promise<void>;
  /** The query's answer. */
  query(workflowId: string, name: string): Promise<unknown>;
  /** Workflow ids that the list filter finds. */
  list(filter: string): Promise<readonly string[]>;
  /** Asks the workflow to cancel itself: the first button of Temporal UI. */
  cancel(workflowId: string): Promise<void>;
  terminate(workflowId: string): Promise<void>;
}

const callTimeoutMs = 20_000;

export function operatorOf(site: Site): Operator {
  const call = async (...words: readonly string[]): Promise<string> => {
    const where = ['--address', site.temporalAddress, '--namespace', site.namespace, '--disable-config-file'];
    const { stdout } = await promisify(execFile)(temporalCliPath(), ['workflow', ...words, ...where], {
      env: commonVariables(),
      timeout: callTimeoutMs,
    });
    return stdout;
  };
  return {
    async signal(workflowId, name, typed) {
      const input = typed === undefined ? [] : ['--input', typed];
      await call('signal', '--workflow-id', workflowId, '--name', name, ...input);
    },
    async query(workflowId, name) {
      const answer = await call('query', '--workflow-id', workflowId, '--type', name, '--output', 'json');
      return (JSON.parse(answer) as { queryResult: readonly unknown[] }).queryResult[0];
    },
    async list(filter) {
      const found = JSON.parse(await call('list', '--query', filter, '--output', 'json')) as readonly {
        readonly execution: { readonly workflowId: string };
      }[];
      return found.map(({ execution }) => execution.workflowId);
    },
    async cancel(workflowId) {
      await call('cancel', '--workflow-id', workflowId);
    },
    async terminate(workflowId) {
      await call('terminate', '--workflow-id', workflowId);
    },
  };
}
