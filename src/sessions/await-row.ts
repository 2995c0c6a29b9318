/**
 * Orders go in through Temporal, answers come out of the row: this is the one place that waits in between
 * (architecture section 1). Notification only wakes earlier; the poll is the truth, and the order is sent
 * again every second, because a start can be swallowed by a workflow that is just completing (R5, V17).
 */
import { inTime } from '../deadline.ts';
import { Unavailable } from '../domain/failure.ts';
import { answerDeadlineMs, pollFirstMs, pollMaxMs, resendIntervalMs } from '../domain/limits.ts';
import type { Session } from '../domain/session.ts';
import type { Changes } from './ports.ts';

export interface RowWait<Value> {
  readonly workflowId: string;
  /** Resolves once Temporal has accepted the order; throws `Unavailable`, which is waited out. Sent again while nothing shows. */
  send(): Promise<void>;
  /** The outcome, or null while the row does not show one. */
  read(): Promise<Value | null>;
  /** The outcome as a row shows it that this process has just committed: it saves the read. */
  accept?(committed: Session): Value | null;
  readonly deadlineMs?: number;
}

/**
 * @throws Unavailable after the deadline, naming the part that kept the outcome away; the order itself may stand
 * @throws what `send` or `read` throws beside it
 */
export async function awaitRow<Value>(changes: Pick<Changes, 'subscribe'>, wait: RowWait<Value>): Promise<Value> {
  const deadlineMs = wait.deadlineMs ?? answerDeadlineMs;
  const bell = createBell();
  const unsubscribe = changes.subscribe(wait.workflowId, bell.ring);
  let fail: (fault: unknown) => void = () => {};
  const broken = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const late = () => new Unavailable('temporal');
  const state: WaitState = { deadlineAt: Date.now() + deadlineMs, isSending: false, isOver: false, late, fail };
  try {
    // A step that hangs has its own deadline, which may end after ours: the caller does not wait for it.
    return await inTime(Promise.race([pollUntil(wait, bell, state), broken]), deadlineMs, () => state.late());
  } finally {
    state.isOver = true;
    unsubscribe();
    bell.silence();
  }
}

interface WaitState {
  readonly deadlineAt: number;
  isSending: boolean;
  /** The caller has left. */
  isOver: boolean;
  /** What a deadline that passes now is blamed on. */
  late: () => Unavailable;
  /** Ends the wait with a fault. */
  readonly fail: (fault: unknown) => void;
}

async function pollUntil<Value>(wait: RowWait<Value>, bell: Bell, state: WaitState): Promise<Value> {
  let sendAt = 0;
  let tickMs = pollFirstMs;
  while (!state.isOver && Date.now() < state.deadlineAt) {
    if (!state.isSending && Date.now() >= sendAt) {
      sendAt = Date.now() + resendIntervalMs;
      void sendBeside(wait, bell, state);
    }
    // A Temporal that takes its time does not keep a row away that is there already.
    const committed = await bell.heard(Math.min(state.isSending ? pollMaxMs : tickMs, state.deadlineAt - Date.now()));
    tickMs = Math.min(tickMs * 2, pollMaxMs);
    const found = await look(wait, committed, state);
    if (found !== null) return found;
  }
  throw state.late();
}

async function look<Value>(wait: RowWait<Value>, committed: Session | null, state: WaitState): Promise<Value | null> {
  const handed = committed?.workflowId === wait.workflowId ? (wait.accept?.(committed) ?? null) : null;
  if (handed !== null) return handed;
  let found: Value | null = null;
  await isDone(async () => {
    found = await wait.read();
  }, state);
  return found;
}

async function sendBeside<Value>(wait: RowWait<Value>, bell: Bell, state: WaitState): Promise<void> {
  state.isSending = true;
  try {
    if (!(await isDone(wait.send, state))) return;
    state.late = () => new Unavailable('session worker');
    bell.hurry(pollFirstMs);
  } catch (fault) {
    state.fail(fault);
  } finally {
    state.isSending = false;
  }
}

/** A part that is down is waited for until the deadline; a fault is not. */
async function isDone(step: () => Promise<void>, state: WaitState): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    state.late = () => thrown;
    return false;
  }
}

interface Bell {
  ring(committed?: Session): void;
  /** Resolves at the next ring, or at once if one came since the last call, or after the time; to the last row rung for. */
  heard(timeoutMs: number): Promise<Session | null>;
  /** Whoever hears now waits no longer than this. */
  hurry(timeoutMs: number): void;
  silence(): void;
}

function createBell(): Bell {
  let rung = false;
  let last: Session | null = null;
  let wake: (() => void) | null = null;
  let timer: NodeJS.Timeout | null = null;
  const settle = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    wake?.();
    wake = null;
  };
  const settleIn = (timeoutMs: number) => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(settle, Math.max(0, timeoutMs));
  };
  return {
    ring(committed) {
      last = committed ?? last;
      rung = wake === null;
      settle();
    },
    async heard(timeoutMs) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          settleIn(timeoutMs);
        });
      }
      rung = false;
      return last;
    },
    hurry(timeoutMs) {
      if (wake !== null) settleIn(timeoutMs);
    },
    silence: settle,
  };
}
