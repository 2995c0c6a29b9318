/** Counts readers against their bounds, and reaches all of them when the process stops. */
import { readersDefault, readersPerKeyDefault, readersPerStreamDefault } from '../domain/limits.ts';
import type { TailEnd } from './tail.ts';

export interface ReaderLimits {
  /** Of one process. */
  readonly total: number;
  readonly perStream: number;
  /** Readers with one credential. */
  readonly perKey: number;
}

export const defaultReaderLimits: ReaderLimits = {
  total: readersDefault,
  perStream: readersPerStreamDefault,
  perKey: readersPerKeyDefault,
};

export interface ReaderPlace {
  readonly stream: string;
  /** What stands for the reader's credential. */
  readonly key: string;
}

export type Admission =
  | { readonly kind: 'admitted' /** Gives the place back, once. */; readonly release: () => void }
  /** The bound that is reached. */
  | { readonly kind: 'crowded'; readonly limit: number };

export class TailRegister {
  readonly #limits: ReaderLimits;
  readonly #enders = new Set<(reason: TailEnd) => void>();
  readonly #ofStream = new Counts();
  readonly #ofKey = new Counts();
  #isStopped = false;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#enders.size;
  }

  admit({ stream, key }: ReaderPlace, end: (reason: TailEnd) => void): Admission {
    const { total, perStream, perKey } = this.#limits;
    if (this.#isStopped || this.count >= total) return { kind: 'crowded', limit: total };
    if (this.#ofStream.of(stream) >= perStream) return { kind: 'crowded', limit: perStream };
    if (this.#ofKey.of(key) >= perKey) return { kind: 'crowded', limit: perKey };
    this.#enders.add(end);
    this.#ofStream.add(stream);
    this.#ofKey.add(key);
    const release = () => {
      if (!this.#enders.delete(end)) return;
      this.#ofStream.remove(stream);
      this.#ofKey.remove(key);
    };
    return { kind: 'admitted', release };
  }

  stop(): void {
    this.#isStopped = true;
    for (const end of [...this.#enders]) end('stopped');
  }
}

/** Names that count nothing are not kept. */
class Counts {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  remove(name: string): void {
    const left = this.of(name) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}
