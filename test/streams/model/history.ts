/**
 * What callers of one stream saw, and whether one plain list can explain it: is the recorded history linearizable?
 *
 * The list has three operations: an append of a part id that it holds answers that record's seq, any other append adds a
 * record and answers its place; a read answers everything from a place on; a tail shows a record some time after it
 * was added. In general the question is NP-complete; here it is not, because answers name places. Let `c[s]` be the
 * moment at which record s was added. Whatever order explains the history must have
 * - `c[0] <= c[1] <= ...`, for places are given in order;
 * - `c[s] >= invoked` of the earliest append of that part id and text, for one of them added it (retries share both);
 * - `c[s] <= returned` of everything that shows s: an append that answers s, a read or a tail that delivers s or later;
 * - `c[n] >= invoked` of a read that ended at n, for n was not there when it looked.
 * Conversely, moments that satisfy all of these are an explanation: let the earliest append of s act at `c[s]` (no
 * answer of it is earlier), each repetition at the later of its start and `c[s]`, each read that ended at n at the later
 * of its start and `c[n - 1]`. Every bound is a constant or a neighbour in one chain, so the smallest moments that
 * respect the lower bounds respect the upper ones if any moments do. So the check below is exact: it rejects what no
 * order explains, and nothing else. history.test.ts holds it against a search of all orders.
 *
 * A history of several streams is linearizable if and only if each stream's is, so each is checked alone.
 */
export interface SeenRecord {
  readonly seq: number;
  readonly partId: string;
  readonly text: string;
}

export interface AppendEvent {
  readonly kind: 'append';
  readonly invokedAt: number;
  /** Null: no answer ever came, so it may have acted at any time since, or never. */
  readonly returnedAt: number | null;
  readonly partId: string;
  readonly text: string;
  /** Of the acknowledgement; null without one. */
  readonly seq: number | null;
}

export interface ReadEvent {
  readonly kind: 'read';
  readonly invokedAt: number;
  readonly returnedAt: number;
  readonly from: number;
  /** End of the stream at the moment of the read; null for a tail, which shows what it has so far. */
  readonly next: number | null;
  readonly records: readonly SeenRecord[];
}

export interface TrimEvent {
  readonly kind: 'trim';
  readonly invokedAt: number;
  readonly before: number;
}

export type StreamEvent = AppendEvent | ReadEvent | TrimEvent;

/**
 * Why no list explains the history; empty if one does.
 * @param history with, as its last read, one of everything retained, invoked after all else: without it nothing says
 * what became of the records that nobody read
 */
export function contradictions(history: readonly StreamEvent[]): string[] {
  const reads = history.filter((event) => event.kind === 'read');
  const final = reads.at(-1);
  if (final === undefined || final.next === null) throw new Error('a history ends with a read of everything');
  const log = new ObservedLog(history);
  const broken = [...log.broken, ...reads.flatMap((read) => gapsOf(read, history))];
  const shown = Math.max(
    ...reads.map(({ next, records }) => next ?? (records.at(-1)?.seq ?? -1) + 1),
    log.answered + 1,
  );
  if (shown > final.next) broken.push(`the stream ended at ${shown}, and then at ${final.next}`);
  return broken.length > 0 ? broken : misplaced(log, reads, final.next);
}

/** Everything that was seen, put together: one record for each seq, one seq for each part id. */
class ObservedLog {
  readonly records = new Map<number, SeenRecord>();
  readonly broken: string[] = [];
  /** Greatest seq of an acknowledgement. */
  answered = -1;
  /** Accepted or unanswered, by part id. */
  readonly appends = new Map<string, AppendEvent[]>();
  readonly #seqs = new Map<string, number>();

  constructor(history: readonly StreamEvent[]) {
    for (const event of history) if (event.kind === 'append') this.#answer(event);
    for (const event of history) if (event.kind === 'read') for (const record of event.records) this.#see(record);
    for (const [partId, seq] of this.#seqs) {
      const stored = this.records.get(seq)?.partId ?? partId;
      if (stored !== partId) this.broken.push(`seq ${seq} was answered to ${partId} and holds ${stored}`);
    }
  }

  #answer(append: AppendEvent): void {
    this.appends.set(append.partId, [...(this.appends.get(append.partId) ?? []), append]);
    if (append.seq === null) return;
    this.#place(append.partId, append.seq);
    this.answered = Math.max(this.answered, append.seq);
  }

  #see(record: SeenRecord): void {
    const known = this.records.get(record.seq);
    this.records.set(record.seq, known ?? record);
    if (known !== undefined && (known.partId !== record.partId || known.text !== record.text)) {
      this.broken.push(`seq ${record.seq} is ${known.partId} to one reader and ${record.partId} to another`);
    }
    this.#place(record.partId, record.seq);
    const isSent = this.appends.get(record.partId)?.some(({ text }) => text === record.text) === true;
    if (!isSent) this.broken.push(`seq ${record.seq} holds what nobody sent: ${record.partId}`);
  }

  #place(partId: string, seq: number): void {
    const known = this.#seqs.get(partId) ?? seq;
    this.#seqs.set(partId, known);
    if (known !== seq) this.broken.push(`${partId} is at ${known} and at ${seq}`);
  }
}

const isTrimmed = (seq: number, atMs: number, history: readonly StreamEvent[]): boolean =>
  history.some((event) => event.kind === 'trim' && event.invokedAt <= atMs && event.before > seq);

/** A reader may begin later than it asked, or go on after a hole, only where records were trimmed. */
function gapsOf(read: ReadEvent, history: readonly StreamEvent[]): string[] {
  const broken: string[] = [];
  let wanted = read.from;
  for (const { seq } of read.records) {
    if (seq < wanted) broken.push(`a reader was shown ${seq} after ${wanted - 1}`);
    else if (seq > wanted && !isTrimmed(seq - 1, read.returnedAt, history)) {
      broken.push(`a reader was shown ${seq} instead of ${wanted}`);
    }
    wanted = seq + 1;
  }
  return read.next === null ? broken : [...broken, ...wrongEnd(read, { next: read.next, wanted, history })];
}

/** What a read shows must reach as far as the end that it names, and no further. */
function wrongEnd(
  read: ReadEvent,
  { next, wanted, history }: { next: number; wanted: number; history: readonly StreamEvent[] },
): string[] {
  if (next < wanted && read.records.length > 0) return [`a read that ended at ${next} shows ${wanted - 1}`];
  if (next <= wanted || isTrimmed(next - 1, read.returnedAt, history)) return [];
  return [`a read that ended at ${next} lacks ${wanted}`];
}

/** The earliest moments at which the records can have been added, against the latest ones. */
function misplaced(log: ObservedLog, reads: readonly ReadEvent[], next: number): string[] {
  const earliest = Array.from({ length: next }, (_, seq) => invokedAt(log, seq));
  const latest = Array.from({ length: next }, () => Number.POSITIVE_INFINITY);
  const bound = (seq: number, atMs: number) => {
    if (seq >= 0 && seq < next) latest[seq] = Math.min(latest[seq] as number, atMs);
  };
  for (const append of [...log.appends.values()].flat()) {
    if (append.seq !== null && append.returnedAt !== null) bound(append.seq, append.returnedAt);
  }
  for (const read of reads) {
    bound((read.next ?? (read.records.at(-1)?.seq ?? -1) + 1) - 1, read.returnedAt);
    const end = read.next;
    if (end !== null && end < next) earliest[end] = Math.max(earliest[end] as number, read.invokedAt);
  }
  let atMs = Number.NEGATIVE_INFINITY;
  return earliest.flatMap((bottom, seq) => {
    atMs = Math.max(atMs, bottom);
    const top = latest[seq] as number;
    return atMs <= top ? [] : [`record ${seq} cannot be before ${atMs}, and was seen by ${top}`];
  });
}

/** Of the earliest append that can have added the record. */
function invokedAt(log: ObservedLog, seq: number): number {
  const record = log.records.get(seq);
  if (record === undefined) return Number.NEGATIVE_INFINITY;
  const sent = (log.appends.get(record.partId) ?? []).filter(({ text }) => text === record.text);
  return Math.min(...sent.map((append) => append.invokedAt));
}
