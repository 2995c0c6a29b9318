/** I2 on PGlite: its process is killed with SIGKILL in the middle of appends, time after time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { apiOf } from '../harness/api.ts';
import { counted } from '../harness/counts.ts';
import { makeMigratedFolder } from '../harness/pglite.ts';
import { startProcess } from '../harness/processes.ts';
import { type Program, runProgram } from '../harness/program.ts';
import { openSite, siteEnvironment } from '../harness/server.ts';

const timeout = 890_000;

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-killed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'database');
}

/** What one life of the process said, until it was killed after so many acknowledgements. */
async function liveAndDie(program: Program, from: number, acknowledgements: number) {
  program.send(`open ${from}`);
  await vi.waitFor(
    () => {
      const acknowledged = program.said().filter((line) => line.startsWith('ack ')).length;
      if (acknowledged < acknowledgements) throw new Error(`${acknowledged} of ${acknowledgements}`);
    },
    { timeout: 60_000, interval: 5 },
  );
  await program.kill('SIGKILL');
  const said = program.said();
  const all = (word: string) =>
    said.flatMap((line) => {
      const [, seq = '', partId = ''] = new RegExp(`^${word} (\\d+) (.+)$`).exec(line) ?? [];
      return partId === '' ? [] : [[Number(seq), partId] as const];
    });
  return { has: all('has'), acks: all('ack') };
}

test('every acknowledged record is there after each of many kills, at its seq', { timeout }, async () => {
  const dataDir = newFolder();
  await makeMigratedFolder(dataDir);
  const start = () => {
    const program = runProgram('test/streams/programs/append-until-killed.ts', dataDir);
    onTestFinished(() => program.kill());
    return program;
  };
  /** Acknowledged or read, by seq. */
  const known = new Map<number, string>();
  const seqs = new Map<string, number>();
  let verified = 0;
  let unverified: (readonly [number, string])[] = [];
  // The next process loads while this one lives; it opens the folder when this one is gone.
  let next = start();
  for (let life = 0, lives = counted(6, 101); life < lives; life += 1) {
    const program = next;
    next = start();
    const { has, acks } = await liveAndDie(program, verified, 1 + Math.floor(Math.random() * 80));
    expect(has.map(([seq]) => seq)).toEqual(has.map((_, index) => verified + index));
    const stored = new Map(has);
    for (const [seq, partId] of unverified) expect([seq, stored.get(seq)]).toEqual([seq, partId]);
    for (const [seq, partId] of [...has, ...acks]) {
      expect(known.get(seq) ?? partId).toBe(partId);
      expect(seqs.get(partId) ?? seq).toBe(seq);
      known.set(seq, partId);
      seqs.set(partId, seq);
    }
    verified += has.length;
    unverified = acks.filter(([seq]) => seq >= verified);
  }
  expect(verified).toBeGreaterThan(50);
});

test('nor does the whole server lose any, and it starts again on the same folder', { timeout }, async () => {
  const [site, dataDir] = [await openSite(), newFolder()];
  const environment = { ...siteEnvironment(site), DATABASE_URL: '', DATA_DIR: dataDir };
  const acknowledged = new Map<string, number>();
  const lives = counted(2, 20);
  try {
    for (let life = 0; life < lives; life += 1) {
      const api = await startProcess({ command: ['api'], environment });
      const client = apiOf(api.url, site.devKey);
      const { body } = await client.create({ externalId: 'kept' });
      const path = `/realtime/v1/sessions/${body.id}/in`;
      const { records } = (await client.call(`${path}/records`)).body as { records: { id: string; seqNum: number }[] };
      expect(records.map(({ seqNum }) => seqNum)).toEqual(records.map((_, seq) => seq));
      for (const [partId, seq] of acknowledged) expect(records[seq]?.id).toBe(partId);
      const append = async (partId: string): Promise<void> => {
        const headers = { 'X-Part-Id': partId };
        const answer = await client.call(`${path}/append`, { method: 'POST', body: partId, headers });
        acknowledged.set(partId, answer.body.seq);
      };
      const writing = Array.from({ length: 8 }, async (_, writer) => {
        for (let count = 0; ; count += 1) await append(`${life}.${writer}.${count}`);
      });
      const interrupted = Promise.allSettled(writing);
      await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(records.length + 30), 60_000);
      await api.kill();
      await interrupted;
    }
    expect(acknowledged.size).toBeGreaterThan(30 * lives);
  } finally {
    await site.remove();
  }
});
