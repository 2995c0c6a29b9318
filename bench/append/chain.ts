/** Records that prove their own order and contents: each carries the digest of its writer's record before. */
import { createHash, randomUUID } from 'node:crypto';

export interface Chain {
  readonly writer: string;
  /** Text of the writer's next record. */
  next(mark?: string): string;
  /** Records so far. */
  count(): number;
}

export interface ChainLink {
  readonly writer: string;
  readonly no: number;
  readonly previous: string;
  readonly text: string;
}

/** About what one piece of a streamed answer weighs, with what its framework puts around it. */
const recordBytes = 256;

/** One at a time: whoever has many appends in flight has as many chains. */
export function newChain(): Chain {
  const writer = randomUUID().slice(0, 8);
  let no = 0;
  let previous = '';
  return {
    writer,
    next(mark = '') {
      const bare = JSON.stringify({ writer, no, previous, text: mark } satisfies ChainLink);
      const filler = 'the quick brown fox jumps over the lazy dog '.repeat(6);
      const text = `${bare.slice(0, -2)}${filler.slice(0, Math.max(0, recordBytes - bare.length))}"}`;
      no += 1;
      previous = digestOf(text);
      return text;
    },
    count: () => no,
  };
}

export interface Faults {
  /** Records that were looked at. */
  readonly records: number;
  readonly lost: number;
  readonly duplicate: number;
  /** Others than their successor says. */
  readonly altered: number;
}

const noFaults: Faults = { records: 0, lost: 0, duplicate: 0, altered: 0 };

/** What a reader saw, held against what the writers had acknowledged. */
export function checkChains(texts: readonly string[], chains: readonly Chain[]): Faults {
  const seen = new Map<string, { next: number; digest: string }>();
  const faults = { records: texts.length, lost: 0, duplicate: 0, altered: 0 };
  for (const text of texts) {
    const { writer, no, previous } = JSON.parse(text) as ChainLink;
    const { next, digest } = seen.get(writer) ?? { next: 0, digest: '' };
    if (no < next) {
      faults.duplicate += 1;
      continue;
    }
    faults.lost += no - next;
    if (no === next && previous !== digest) faults.altered += 1;
    seen.set(writer, { next: no + 1, digest: digestOf(text) });
  }
  for (const chain of chains) faults.lost += chain.count() - (seen.get(chain.writer)?.next ?? 0);
  return faults;
}

export const sumFaults = (all: readonly Faults[]): Faults =>
  all.reduce(
    (sum, faults) => ({
      records: sum.records + faults.records,
      lost: sum.lost + faults.lost,
      duplicate: sum.duplicate + faults.duplicate,
      altered: sum.altered + faults.altered,
    }),
    noFaults,
  );

const digestOf = (text: string): string => createHash('sha1').update(text).digest('hex').slice(0, 16);
