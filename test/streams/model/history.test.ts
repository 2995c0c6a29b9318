/** The check of histories is itself checked: against a search of all orders, and on histories that are wrong in one place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AppendEvent, contradictions, type ReadEvent, type SeenRecord, type StreamEvent } from './history.ts';

type Timed = AppendEvent | ReadEvent;

/** Tries every order that real time allows (Wing and Gong, 1993). Exponential: for a handful of events. */
function hasOrder(history: readonly Timed[], list: readonly SeenRecord[] = []): boolean {
  const owed = history.filter(({ returnedAt }) => returnedAt !== null);
  if (owed.length === 0) return true;
  const firstReturn = Math.min(...owed.map(({ returnedAt }) => returnedAt as number));
  return history.some((event) => {
    if (event.invokedAt > firstReturn) return false;
    const after = applied(event, list);
    return (
      after !== null &&
      hasOrder(
        history.filter((other) => other !== event),
        after,
      )
    );
  });
}

/** The list after the operation; null when it would not have answered so. */
function applied(event: Timed, list: readonly SeenRecord[]): readonly SeenRecord[] | null {
  return event.kind === 'append' ? appended(event, list) : shows(event, list) ? list : null;
}

function appended(event: AppendEvent, list: readonly SeenRecord[]): readonly SeenRecord[] | null {
  const known = list.find(({ partId }) => partId === event.partId);
  const seq = known?.seq ?? list.length;
  if (event.returnedAt !== null && event.seq !== seq) return null;
  return known === undefined ? [...list, { seq, partId: event.partId, text: event.text }] : list;
}

function shows(event: ReadEvent, list: readonly SeenRecord[]): boolean {
  const shown = list.slice(event.from, event.next === null ? event.from + event.records.length : undefined);
  const isEnd = event.next === null || event.next === list.length;
  return isEnd && JSON.stringify(shown) === JSON.stringify(event.records);
}

interface Draft {
  readonly kind: 'append' | 'read' | 'tail';
  readonly partId: string;
  readonly text: string;
  readonly from: number;
  readonly isCut: boolean;
  /** Added to what the operation would have answered: mostly nothing. */
  readonly lie: number;
}

const drafts = fc.array(
  fc.record<Draft>({
    kind: fc.constantFrom('append', 'append', 'read', 'tail'),
    partId: fc.constantFrom('a', 'b', 'c'),
    text: fc.constantFrom('x', 'y'),
    from: fc.nat({ max: 1 }),
    isCut: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0),
    lie: fc.integer({ min: 0, max: 9 }).map((roll) => (roll === 0 ? 1 : roll === 1 ? -1 : 0)),
  }),
  { minLength: 1, maxLength: 6 },
);

/**
 * The drafts, answered in turn by a plain list at the middle of two moments that are then pulled apart or pushed
 * elsewhere: some of these histories have an order, some do not.
 */
function historyOf(sketch: readonly Draft[], shifts: readonly number[]): Timed[] {
  let list: readonly SeenRecord[] = [];
  const events = sketch.map((draft, index): Timed => {
    const at = 100 * (index + 1) + (shifts[index] ?? 0);
    const invokedAt = at - 30 - (shifts[index + 6] ?? 0) - index / 100;
    const returnedAt = at + 30 + (shifts[index + 12] ?? 0) + index / 100;
    if (draft.kind === 'append') {
      const event = { kind: 'append', invokedAt, returnedAt: null, partId: draft.partId, text: draft.text } as const;
      const after = applied({ ...event, seq: null }, list) ?? list;
      const seq = (after.find(({ partId }) => partId === draft.partId)?.seq ?? 0) + draft.lie;
      list = after;
      return draft.isCut ? { ...event, seq: null } : { ...event, returnedAt, seq: Math.max(0, seq) };
    }
    const next = Math.max(0, list.length + draft.lie);
    const records = list.slice(draft.from, next);
    const from = draft.from;
    return { kind: 'read', invokedAt, returnedAt, from, next: draft.kind === 'tail' ? null : next, records };
  });
  const everything: Timed = {
    kind: 'read',
    invokedAt: 10_000,
    returnedAt: 10_001,
    from: 0,
    next: list.length,
    records: list,
  };
  return [...events, everything];
}

test('it accepts what a search of all orders accepts, and nothing else', () => {
  const verdicts = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(
      drafts,
      fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 18, maxLength: 18 }),
      (sketch, shifts) => {
        const history = historyOf(sketch, shifts);
        const expected = hasOrder(history);
        verdicts[expected ? 'accepted' : 'refused'] += 1;
        expect({ history, accepted: contradictions(history).length === 0 }).toEqual({ history, accepted: expected });
      },
    ),
    { numRuns: 4_000 },
  );
  expect(verdicts.accepted).toBeGreaterThan(400);
  expect(verdicts.refused).toBeGreaterThan(400);
});

describe('a history that is right until', () => {
  const record = (seq: number): SeenRecord => ({ seq, partId: `p${seq}`, text: `t${seq}` });
  const append = (seq: number, at: number): AppendEvent => ({
    ...{ kind: 'append', invokedAt: at, returnedAt: at + 5, partId: `p${seq}`, text: `t${seq}`, seq },
  });
  const read = (count: number, at: number, from = 0): ReadEvent => ({
    kind: 'read',
    ...{ invokedAt: at, returnedAt: at + 5, from, next: count },
    records: Array.from({ length: count - from }, (_, index) => record(from + index)),
  });
  const right: readonly StreamEvent[] = [
    append(0, 10),
    append(1, 20),
    read(2, 30, 1),
    append(2, 40),
    append(2, 42),
    read(3, 90),
  ];
  const wrong: Readonly<Record<string, readonly StreamEvent[]>> = {
    'an acknowledged record is not read afterwards': [...right.slice(0, 2), read(1, 30), ...right.slice(3)],
    'a read misses what an earlier one showed': [read(2, 22), read(1, 32), append(0, 10), append(1, 20), read(2, 90)],
    'two records change places': [append(0, 20), append(1, 10), read(2, 90)],
    'an acknowledged record is lost': [...right.slice(0, 5), read(2, 90)],
    'a record is stored twice': [append(0, 10), { ...read(2, 90), records: [record(0), { ...record(0), seq: 1 }] }],
    'a part id is answered two seqs': [...right.slice(0, 4), { ...append(2, 42), seq: 3 }, read(3, 90)],
    'a reader is shown another text': [
      ...right,
      { ...read(1, 91), records: [{ ...record(0), text: 'other' }] },
      read(3, 99),
    ],
    'a reader is shown what nobody sent': [append(0, 10), read(2, 90)],
    'a reader skips a record': [...right, { ...read(3, 91), records: [record(0), record(2)] }, read(3, 99)],
    'a reader begins too late': [...right, { ...read(3, 91), records: [record(1), record(2)] }, read(3, 99)],
    'a reader is shown a record again': [...right, { ...read(3, 91), from: 2 }, read(3, 99)],
    'a record is shown before it is sent': [append(0, 10), { ...read(2, 20), next: null }, append(1, 30), read(2, 90)],
    'the stream becomes shorter': [append(0, 10), append(1, 20), read(2, 30), read(1, 90)],
  };

  test('nothing is wrong', () => expect(contradictions(right)).toEqual([]));

  for (const [name, history] of Object.entries(wrong)) {
    test(name, () => expect(contradictions(history)).not.toEqual([]));
  }

  test('records are trimmed: a reader may begin later, and not elsewhere', () => {
    const late: ReadEvent = { ...read(3, 91), records: [record(1), record(2)] };
    const trim = { kind: 'trim', invokedAt: 60, before: 1 } as const;
    expect(contradictions([...right.slice(0, 5), trim, late])).toEqual([]);
    expect(contradictions([...right, { ...trim, invokedAt: 97 }, late, read(3, 99)])).not.toEqual([]);
    expect(contradictions([...right.slice(0, 5), trim, { ...late, records: [record(2)] }])).not.toEqual([]);
  });
});
