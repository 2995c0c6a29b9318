import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideEnd,
  decideOwner,
  type Gate,
  hasUnread,
  mayClaim,
  maySucceedCurrentRun,
  maySucceedDeadRun,
  stateOf,
} from '../../src/domain/gate.ts';
import { barrenMax } from '../../src/domain/limits.ts';
import { finalRunStatuses } from '../../src/domain/run.ts';

const now = new Date('2026-01-01T00:00:00.000Z');
const earlier = new Date(now.getTime() - 1);
const later = new Date(now.getTime() + 1);

const gate = (changes: Partial<Gate> = {}): Gate => ({
  owner: 'owner-1',
  ownerStartedAtMs: 1_000,
  runNumber: 3,
  live: true,
  attempt: 1,
  began: 10,
  consumed: 8,
  next: 12,
  wakeAfter: null,
  barren: 0,
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  expiredAt: null,
  waitedFor: false,
  ...changes,
});

describe('state of a session', () => {
  test.each([
    ['open without an expiry', {}, 'open'],
    ['open before its expiry', { expiresAt: later }, 'open'],
    ['expired at its very moment', { expiresAt: now }, 'expired'],
    ['expired by the flag although the clock went back', { expiresAt: later, expiredAt: earlier }, 'expired'],
    [
      'closed, also when it is past its expiry',
      { closedAt: earlier, expiresAt: earlier, expiredAt: earlier },
      'closed',
    ],
  ] as const)('%s', (_name, marks, state) => {
    expect(stateOf(gate(marks), now)).toBe(state);
  });
});

describe('I5: what counts as unread when a run ends', () => {
  test.each([
    ['nothing came', gate(), null, false, false],
    ['a record behind the cursor was consumed', gate({ consumed: 12 }), 11, true, false],
    ['a record since the claim', gate(), 11, false, true],
    ['a record since the claim, however barren', gate({ barren: barrenMax }), 10, true, true],
    ['an older record, and the run ended by its own decision', gate(), 9, false, false],
    ['an older record, and the run crashed', gate(), 9, true, true],
    ['an older record, and the third crash in a row', gate({ barren: barrenMax }), 9, true, false],
    ['the run never began', gate({ began: null }), 9, false, true],
    ['the run never began, and it is the third in a row', gate({ began: null, barren: barrenMax }), 9, false, false],
  ] as const)('%s', (_name, at, lastClientSeq, crashed, unread) => {
    expect(hasUnread(at, lastClientSeq, crashed)).toBe(unread);
  });
});

describe('end of a run', () => {
  const facts = { runNumber: 3, status: 'COMPLETED', triggeredAtSeq: 10, lastClientSeq: 11, now } as const;

  test('a record that came during the run starts a continuation with a fresh crash count', () => {
    expect(decideEnd(gate({ barren: 2 }), facts)).toEqual({ kind: 'continue', barren: 0 });
  });

  test('V16: the end of a swapped-out run starts nothing', () => {
    expect(decideEnd(gate({ runNumber: 4 }), facts)).toEqual({ kind: 'stale' });
  });

  test('the end of a dead run changes nothing', () => {
    expect(decideEnd(gate({ live: false }), facts)).toEqual({ kind: 'stale' });
  });

  test.each([{ closedAt: earlier }, { expiredAt: earlier }, { expiresAt: now }])(
    'I4: an ended session gets no run: %o',
    (marks) => {
      expect(decideEnd(gate(marks), facts)).toEqual({ kind: 'idle' });
    },
  );

  test('V8: a run cancelled while queued leaves its record to a continuation', () => {
    const decision = decideEnd(gate({ began: null, attempt: 0 }), { ...facts, status: 'CANCELED', lastClientSeq: 9 });
    expect(decision).toEqual({ kind: 'continue', barren: 1 });
  });

  test('a plain worker that answers without claiming counts as begun when it was triggered', () => {
    const plain = gate({ began: null, attempt: 0 });
    expect(decideEnd(plain, { ...facts, lastClientSeq: 9 })).toEqual({ kind: 'idle' });
    expect(decideEnd(plain, { ...facts, lastClientSeq: 10 })).toEqual({ kind: 'continue', barren: 0 });
  });

  test('a task that crashes at every boot is tried again at most three times in a row', () => {
    let at = gate({ began: null, attempt: 0, runNumber: 1 });
    let continuations = 0;
    for (;;) {
      const decision = decideEnd(at, { ...facts, runNumber: at.runNumber, status: 'CRASHED', lastClientSeq: 9 });
      if (decision.kind !== 'continue') break;
      continuations += 1;
      expect(continuations).toBeLessThanOrEqual(barrenMax);
      at = gate({ began: null, attempt: 0, runNumber: at.runNumber + 1, barren: decision.barren });
    }
    expect(continuations).toBe(barrenMax);
  });

  test('law: a second end of the same run is stale, whatever the first decided', () => {
    const anyEnd = fc.record({
      status: fc.constantFrom(...finalRunStatuses),
      lastClientSeq: fc.option(fc.nat(20)),
      triggeredAtSeq: fc.nat(20),
      began: fc.option(fc.nat(20)),
      barren: fc.nat(4),
    });
    fc.assert(
      fc.property(anyEnd, ({ began, barren, ...end }) => {
        const before = gate({ began, barren });
        const first = decideEnd(before, { ...end, runNumber: 3, now });
        const after =
          first.kind === 'continue' ? gate({ runNumber: 4, live: true, began: null }) : gate({ live: false });
        expect(decideEnd(after, { ...end, runNumber: 3, now })).toEqual({ kind: 'stale' });
      }),
    );
  });
});

describe('R3: orders for a further run', () => {
  test.each([
    ['the run seen dead is dead', gate({ live: false }), 3, true],
    ['the run is alive', gate(), 3, false],
    ['a later run is current', gate({ live: false, runNumber: 4 }), 3, false],
    ['the session has ended', gate({ live: false, closedAt: earlier }), 3, false],
  ] as const)('ensure: %s', (_name, at, runNumber, may) => {
    expect(maySucceedDeadRun(at, runNumber, now)).toBe(may);
  });

  test('a hand-over works while its run is current, alive or not, and never after', () => {
    expect(maySucceedCurrentRun(gate(), 3, now)).toBe(true);
    expect(maySucceedCurrentRun(gate({ live: false }), 3, now)).toBe(true);
    expect(maySucceedCurrentRun(gate({ runNumber: 4 }), 3, now)).toBe(false);
    expect(maySucceedCurrentRun(gate({ closedAt: earlier }), 3, now)).toBe(false);
  });
});

describe('ownership', () => {
  test.each([
    ['the owner itself', { id: 'owner-1', startedAtMs: 1_000 }, 'mine'],
    ['an older workflow', { id: 'owner-0', startedAtMs: 999 }, 'gone'],
    ['a younger workflow', { id: 'owner-2', startedAtMs: 1_001 }, 'take-over'],
  ] as const)('%s', (_name, owner, decision) => {
    expect(decideOwner(gate(), owner)).toBe(decision);
  });
});

describe('claim', () => {
  const claim = { runNumber: 3, attempt: 2, final: false, now };
  test.each([
    ['a later attempt of the current run', gate(), claim, true],
    ['the same attempt, asking again', gate({ attempt: 2 }), claim, true],
    ['an earlier attempt than one that claimed', gate({ attempt: 3 }), claim, false],
    ['a run that is no longer current', gate({ runNumber: 4 }), claim, false],
    ['a run that has ended', gate(), { ...claim, final: true }, false],
    ['V12: a run that was queued before the close', gate({ attempt: 0, closedAt: earlier }), claim, false],
    ['a run that had begun before the close may finish its turn', gate({ closedAt: earlier }), claim, true],
  ] as const)('%s', (_name, at, facts, may) => {
    expect(mayClaim(at, facts)).toBe(may);
  });
});
