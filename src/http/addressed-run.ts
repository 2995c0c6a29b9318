/** The run that a path names, for a caller that may act on it (protocol sections 1.3 and 2.4). */
import { parseRunId, type RunId } from '../domain/ids.ts';
import { mayActOnRun, permits } from '../domain/scope.ts';
import { refuse } from './refusal.ts';
import { type Caller, callerOf, type Exchange, pathPart } from './route.ts';
import type { UseCases } from './use-cases.ts';

type Runs = Pick<UseCases, 'retrieveRun'>;

/** I8: a caller that names neither this run nor its task learns nothing, not even whether the run exists. */
export async function runToActOn(exchange: Exchange, useCases: Runs): Promise<RunId> {
  return (await runToJudge(exchange, useCases)) ?? refuse({ code: 'run_not_found' });
}

/** The same, for a use case that tells itself what is missing. Null: no run has such an id. */
export async function runToJudge(exchange: Exchange, useCases: Runs): Promise<RunId | null> {
  const runId = parseRunId(pathPart(exchange, 'run'));
  if (!(await mayActOn(useCases, callerOf(exchange), runId))) return refuse({ code: 'scope_missing' });
  if (runId !== null) exchange.state.runId = runId;
  return runId;
}

async function mayActOn(useCases: Runs, { environment, grant }: Caller, runId: RunId | null): Promise<boolean> {
  if (grant.kind === 'all') return true;
  const view = runId === null ? null : await useCases.retrieveRun({ environment, runId });
  return permits(grant, mayActOnRun({ runId: runId ?? '', taskIdentifier: view?.run.taskIdentifier ?? '' }));
}
