/** Orders to a session's workflow: an eager start, or a signal that starts the workflow again if it was lost. */
import type { Client } from '@temporalio/client';
import {
  type SearchAttributePair,
  type SignalDefinition,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import {
  cancelRunSignal,
  closeSignal,
  endAndContinueSignal,
  ensureSignal,
  expireSignal,
  pokeSignal,
  relabelSignal,
  rescheduleSignal,
  type SessionInput,
  sessionWorkflowType,
  wakeSignal,
} from '../../workflows/messages.ts';
import { type AttributedSession, sessionSearchAttributes } from '../../workflows/search-attributes.ts';
import { sessionSummary } from '../domain/describe-session.ts';
import { AlreadyStarted, Unavailable } from '../domain/failure.ts';
import { orderDeadlineMs, workflowTaskTimeoutMs } from '../domain/limits.ts';
import type { SessionAddress, SessionOrders, StartOrder } from '../sessions/ports.ts';
import { callTemporal } from './connect.ts';
import type { LocalWorker } from './local-worker.ts';
import { invalidArgument, isRefusal } from './refusal.ts';

/** Session workflows of all environments; tasks have queues of their own. */
export const sessionTaskQueue = 'perdure/sessions';

export interface SessionOrdersDeps {
  /** Over the NativeConnection of this process's session worker, if it runs one: eager start needs that. */
  readonly client: Client;
  readonly localWorker: LocalWorker | null;
}

export function temporalSessionOrders(deps: SessionOrdersDeps): SessionOrders {
  const { client, localWorker } = deps;
  const signal = (session: SessionAddress, order: SignalOrder) =>
    send(client, () =>
      client.workflow.signalWithStart(sessionWorkflowType, {
        ...startOptions(session.workflowId, withEnvironmentName(session), { kind: 'adopt', sessionId: session.id }),
        ...order,
      }),
    );
  const startWith = ({ environment, workflowId, session }: StartOrder, changes: StartChanges) => {
    const options = startOptions(
      workflowId,
      { ...session, environment: environment.name },
      { kind: 'create', environment, session },
    );
    return send(client, () =>
      client.workflow.start(sessionWorkflowType, {
        ...options,
        ...changes.policies,
        typedSearchAttributes: [...options.typedSearchAttributes, ...changes.attributes],
        // Without a worker in this process the server would answer as if it had not been asked.
        requestEagerStart: localWorker !== null,
      }),
    );
  };
  const start = async (order: StartOrder, policies?: typeof neverBefore) => {
    const attributes = localWorker?.startAttributes ?? [];
    try {
      await startWith(order, { policies, attributes });
    } catch (thrown) {
      if (attributes.length === 0 || !isRefusal(thrown, invalidArgument)) throw thrown;
      await startWith(order, { policies, attributes: [] });
      localWorker?.startsWithout();
    }
  };
  return {
    start: (order) => start(order),
    async startNew(order) {
      try {
        await start(order, neverBefore);
      } catch (thrown) {
        throw thrown instanceof WorkflowExecutionAlreadyStartedError ? new AlreadyStarted() : thrown;
      }
    },
    ensure: (session, runNumber) => signal(session, signalOf(ensureSignal, { runNumber })),
    wake: (session, runNumber) => signal(session, signalOf(wakeSignal, { runNumber })),
    cancelRun: (session, runId) => signal(session, signalOf(cancelRunSignal, { runId })),
    close: (session, order) => signal(session, signalOf(closeSignal, order)),
    endAndContinue: (session, order) => signal(session, signalOf(endAndContinueSignal, order)),
    reschedule: (session) => signal(session, signalOf(rescheduleSignal)),
    expire: (session) => signal(session, signalOf(expireSignal)),
    poke: (session) => signal(session, signalOf(pokeSignal)),
    relabel: (workflowId) => send(client, () => signalIfOpen(client, workflowId, relabelSignal)),
  };
}

/** An ended session's workflow is over, and a lost one starts with the tags of its row. */
async function signalIfOpen(client: Client, workflowId: string, signal: SignalDefinition): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(signal);
  } catch (thrown) {
    if (!(thrown instanceof WorkflowNotFoundError)) throw thrown;
  }
}

const neverBefore = { workflowIdConflictPolicy: 'FAIL', workflowIdReusePolicy: 'REJECT_DUPLICATE' } as const;

interface StartChanges {
  readonly policies: typeof neverBefore | undefined;
  readonly attributes: readonly SearchAttributePair[];
}

interface SignalOrder {
  readonly signal: string;
  readonly signalArgs: unknown[];
}

const signalOf = <Args extends unknown[]>(definition: SignalDefinition<Args>, ...signalArgs: Args): SignalOrder => ({
  signal: definition.name,
  signalArgs,
});

const withEnvironmentName = (session: SessionAddress): AttributedSession => ({
  ...session,
  environment: session.environment.name,
});

function startOptions(workflowId: string, session: AttributedSession, input: SessionInput) {
  const summary = sessionSummary({ ...session, key: session.externalId ?? session.id });
  return {
    workflowId,
    taskQueue: sessionTaskQueue,
    args: [input] as [SessionInput],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowTaskTimeout: workflowTaskTimeoutMs,
    typedSearchAttributes: sessionSearchAttributes(session),
    staticSummary: summary,
  } as const;
}

/** @throws Unavailable when Temporal does not accept the order in time; refused input is a fault of ours */
async function send(client: Client, call: () => Promise<unknown>): Promise<void> {
  try {
    await callTemporal(client, orderDeadlineMs, call);
  } catch (thrown) {
    throw isRefusal(thrown, transient) ? new Unavailable('temporal', thrown) : thrown;
  }
}

/** gRPC codes of a server that is away, overloaded, or too slow. */
const transient = [1, 4, 8, 10, 13, 14];
