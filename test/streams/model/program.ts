/** What callers of one session do at once, as fast-check makes it up, and what a way to the streams must offer for it. */
import fc from 'fast-check';
import type { StreamName } from '../../../src/domain/stream.ts';
import type { SeenRecord } from './history.ts';

export const programStreams = ['in', 'out', 'side/out'] as const satisfies readonly StreamName[];
export type ProgramStream = (typeof programStreams)[number];

/** One API process, as a client reaches it. */
export interface StreamProcess {
  /**
   * The acknowledged seq; null when no answer came.
   * @param cut leave before the answer, or at once after it
   */
  append(stream: ProgramStream, record: { partId: string; text: string }, cut: boolean): Promise<number | null>;
  /** Everything from `from` on, or from the later place that it names. */
  read(stream: ProgramStream, from: number): Promise<{ next: number; records: readonly SeenRecord[]; from?: number }>;
  follow(stream: ProgramStream, order: FollowOrder): Following;
}

export interface FollowOrder {
  readonly from: number;
  /** Takes nothing for a while, again and again. */
  readonly isSlow: boolean;
  readonly onRecords: (records: readonly SeenRecord[]) => void;
}

export interface Following {
  leave(): void;
  /** Nothing is delivered any more. Resolves, however it ended. */
  readonly ended: Promise<void>;
}

export type WriterStep =
  | {
      readonly kind: 'append';
      readonly stream: ProgramStream;
      /** Null: a part id of its own. Others are shared by all writers, texts excepted. */
      readonly sharedPart: number | null;
      readonly textLength: number;
      /** Tries that are cut before the one that is waited for. */
      readonly cuts: number;
    }
  | { readonly kind: 'read'; readonly stream: ProgramStream; readonly back: number }
  | { readonly kind: 'trim'; readonly back: number };

export interface ReaderPlan {
  readonly stream: ProgramStream;
  readonly isSlow: boolean;
  /** Leaves after so many records, and comes back to the other process; 0 stays. */
  readonly cutAfter: number;
}

export interface Program {
  readonly writers: readonly (readonly WriterStep[])[];
  readonly readers: readonly ReaderPlan[];
}

const stream = fc.constantFrom(...programStreams);

/** A few long texts: they fill pages and sockets. */
const textLength = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 90_000 }) },
);

const writerStep: fc.Arbitrary<WriterStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream,
      sharedPart: fc.option(fc.nat({ max: 7 }), { nil: null }),
      textLength,
      cuts: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), stream, back: fc.nat({ max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim' as const), back: fc.nat({ max: 6 }) }) },
);

const readerPlan: fc.Arbitrary<ReaderPlan> = fc.record({
  stream,
  isSlow: fc.boolean(),
  cutAfter: fc.constantFrom(0, 1, 3, 8),
});

export const programs: fc.Arbitrary<Program> = fc.record({
  writers: fc.array(fc.array(writerStep, { minLength: 3, maxLength: 14 }), { minLength: 2, maxLength: 6 }),
  readers: fc.array(readerPlan, { minLength: 2, maxLength: 5 }),
});
