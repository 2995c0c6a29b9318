/** A tail as it comes off the wire, frame by frame: the text itself is what the tests are about. */
import { vi } from 'vitest';

export interface EventStreamClient {
  readonly status: number;
  readonly headers: Headers;
  /** Whole frames so far, without comments. */
  readonly frames: readonly string[];
  /** Records of all batches so far. */
  records(): readonly WireRecord[];
  /** Resolves when the server has ended the answer; rejects when it was cut. */
  readonly ended: Promise<void>;
  leave(): void;
}

export interface WireRecord {
  readonly seq_num: number;
  readonly timestamp: number;
  readonly body: string;
  readonly headers?: readonly (readonly [string, string])[];
}

export async function openEventStream(
  url: string,
  { key, headers = {} }: { key: string; headers?: Readonly<Record<string, string>> },
): Promise<EventStreamClient> {
  const leaving = new AbortController();
  const response = await fetch(url, {
    headers: { Authorization: `Bearer ${key}`, Accept: 'text/event-stream', ...headers },
    signal: leaving.signal,
  });
  const frames: string[] = [];
  const ended = collect(response, frames);
  ended.catch(() => undefined);
  return {
    status: response.status,
    headers: response.headers,
    frames,
    records: () => frames.filter((frame) => frame.includes('event: batch')).flatMap(recordsIn),
    ended,
    leave: () => leaving.abort(),
  };
}

export const dataOf = (frame: string): string => /^data: (.*)$/m.exec(frame)?.[1] ?? '';

const recordsIn = (frame: string): WireRecord[] => (JSON.parse(dataOf(frame)) as { records: WireRecord[] }).records;

async function collect(response: Response, frames: string[]): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const whole = rest.split('\n\n');
    rest = whole.pop() ?? '';
    frames.push(...whole.filter((frame) => !frame.startsWith(':')));
  }
}

export const hearsSeqs = (client: EventStreamClient, seqs: readonly number[]): Promise<void> =>
  vi.waitFor(() => {
    const heard = client.records().map((record) => record.seq_num);
    if (heard.join() !== seqs.join()) throw new Error(`heard ${heard.join()}, not ${seqs.join()}`);
  }, 10_000);
