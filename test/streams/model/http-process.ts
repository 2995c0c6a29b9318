/** One API process as a client reaches it over HTTP: its own connections, cut where the program says so. */
import { type IncomingMessage, request } from 'node:http';
import type { WireRecord } from '../../harness/event-stream.ts';
import { dataOf } from '../../harness/event-stream.ts';
import type { SeenRecord } from './history.ts';
import type { Following, FollowOrder, StreamProcess } from './program.ts';

export interface HttpAddress {
  readonly url: string;
  readonly key: string;
  /** Path segment of the session. */
  readonly session: string;
}

const streamPaths = { in: 'in', out: 'out', 'side/out': 'channels/side/out' } as const;
const cutWithinMs = 8;
const slowMs = 30;
const callTimeoutMs = 10_000;

export function httpProcess({ url, key, session }: HttpAddress): StreamProcess {
  const base = `${url}/realtime/v1/sessions/${session}`;
  const headers = { Authorization: `Bearer ${key}` };
  return {
    async append(stream, { partId, text }, cut) {
      const answer = await answered(`${base}/${streamPaths[stream]}/append`, {
        method: 'POST',
        headers: { ...headers, 'X-Part-Id': partId },
        body: text,
        signal: AbortSignal.timeout(cut ? Math.ceil(Math.random() * cutWithinMs) : callTimeoutMs),
      });
      if (answer === null || answer.status >= 500) return null;
      if (answer.status !== 200) throw new Error(`an append was answered ${answer.status}`);
      return (answer.body as { seq: number }).seq;
    },
    async read(stream, from) {
      const cursor = from === 0 ? '' : `?afterEventId=${from - 1}`;
      const path = `${base}/${streamPaths[stream]}`;
      const answer = await fetch(`${path}/records${cursor}`, { headers, signal: AbortSignal.timeout(callTimeoutMs) });
      if (answer.status !== 200) throw new Error(`records: ${answer.status}`);
      const body = (await answer.json()) as { records: { seqNum: number; id: string; data: string }[] };
      const records = body.records.map(({ seqNum, id, data }) => ({ seq: seqNum, partId: id, text: data }));
      const last = records.at(-1);
      if (last !== undefined) return { next: last.seq + 1, records };
      const head = await fetch(path, { method: 'HEAD', headers, signal: AbortSignal.timeout(callTimeoutMs) });
      const next = Number(head.headers.get('x-last-chunk-index')) + 1;
      return { next, records: [], ...(next === 0 ? {} : { from: next }) };
    },
    follow: (stream, order) => follow(`${base}/${streamPaths[stream]}`, headers, order),
  };
}

/** Null: cut, or the process is gone. */
async function answered(url: string, init: RequestInit): Promise<{ status: number; body: unknown } | null> {
  try {
    const answer = await fetch(url, init);
    return { status: answer.status, body: await answer.json() };
  } catch {
    return null;
  }
}

function follow(url: string, headers: Readonly<Record<string, string>>, order: FollowOrder): Following {
  const { from, isSlow, onRecords } = order;
  const resume: Record<string, string> = from === 0 ? {} : { 'Last-Event-ID': String(from - 1) };
  const call = request(url, { headers: { ...headers, ...resume }, agent: false });
  let hasLeft = false;
  const ended = new Promise<void>((resolve) => {
    call.once('close', resolve).on('error', () => resolve());
  });
  call.once('response', (answer: IncomingMessage) => {
    let rest = '';
    answer.setEncoding('utf8').on('error', () => undefined);
    answer.on('data', (chunk: string) => {
      const frames = (rest + chunk).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) if (!hasLeft && frame.includes('event: batch')) onRecords(recordsIn(frame));
      if (!isSlow) return;
      answer.pause();
      setTimeout(() => answer.resume(), slowMs);
    });
  });
  call.end();
  return {
    leave() {
      hasLeft = true;
      call.destroy();
    },
    ended,
  };
}

function recordsIn(frame: string): SeenRecord[] {
  const { records } = JSON.parse(dataOf(frame)) as { records: WireRecord[] };
  return records.map(({ seq_num: seq, body }) => {
    const { data, id } = JSON.parse(body) as { data: string; id: string };
    return { seq, partId: id, text: data };
  });
}
