/**
 * Compares rows with Temporal and orders what is missing, by signal-with-start. While Temporal keeps its store it finds
 * nothing: correctness does not rest on it. Each order is decided again under the gate, so a wrong guess changes nothing.
 */
import { Unavailable } from '../domain/failure.ts';
import type { SessionId } from '../domain/ids.ts';
import { orphanConfirmMs, reconcilePage } from '../domain/limits.ts';
import { nothingRepaired, type OwnedRuns, type ReconcileReport, type Repair } from '../domain/reconcile.ts';
import type { OwnerObserver, RepairStore, SessionOrders } from './ports.ts';

export interface ReconcileDeps {
  readonly repairs: RepairStore;
  readonly owners: OwnerObserver;
  readonly orders: SessionOrders;
}

/** @param cursor where the last round stopped looking for lost workflows; null to begin */
export async function reconcile(deps: ReconcileDeps, cursor: SessionId | null): Promise<ReconcileReport> {
  let report: ReconcileReport = nothingRepaired;
  for (const repair of await deps.repairs.findOverdue()) {
    if (!(await send(deps, repair.sessionId, repair))) continue;
    report =
      repair.kind === 'wake' ? { ...report, woken: report.woken + 1 } : { ...report, expired: report.expired + 1 };
  }
  const page = await deps.repairs.findUnfinished(cursor);
  let adopted = 0;
  for (const sessionId of await orphansOf(deps, page)) adopted += (await send(deps, sessionId, null)) ? 1 : 0;
  return { ...report, adopted, cursor: page.length < reconcilePage ? null : (page.at(-1)?.sessionId ?? null) };
}

/** Those with a run that nobody executes. Between a run's end and the row that says so there is a moment: asked twice. */
async function orphansOf(deps: ReconcileDeps, page: readonly OwnedRuns[]): Promise<SessionId[]> {
  const suspects: SessionId[] = [];
  for (const runs of page) if (await isOrphan(deps.owners, runs)) suspects.push(runs.sessionId);
  if (suspects.length > 0) await aMoment();
  const orphans: SessionId[] = [];
  for (const sessionId of suspects) {
    const runs = await deps.repairs.findUnfinishedOf(sessionId);
    if (runs !== null && (await isOrphan(deps.owners, runs))) orphans.push(sessionId);
  }
  return orphans;
}

const aMoment = () => new Promise<void>((resolve) => void setTimeout(resolve, orphanConfirmMs));

/** What Temporal cannot say in time is no reason to act: the next round asks again. */
async function isOrphan(owners: OwnerObserver, runs: OwnedRuns): Promise<boolean> {
  try {
    return !(await owners.executes(runs));
  } catch (thrown) {
    if (thrown instanceof Unavailable) return false;
    throw thrown;
  }
}

async function send(deps: ReconcileDeps, sessionId: SessionId, repair: Repair | null): Promise<boolean> {
  const address = await deps.repairs.findAddress(sessionId);
  if (address === null) return false;
  if (repair === null) await deps.orders.poke(address);
  else if (repair.kind === 'wake') await deps.orders.wake(address, repair.runNumber);
  else await deps.orders.expire(address);
  return true;
}
