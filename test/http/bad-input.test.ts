/**
 * Whatever is sent, a process of its own answers it with a 4xx in the API's shape, in turn, keeps living, holds no more
 * memory than before, and leaves no row behind.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { apiOf } from '../harness/api.ts';
import { type PerdureProcess, startProcess } from '../harness/processes.ts';
import { openSite, type Site, siteEnvironment } from '../harness/server.ts';
import type { BadRequest } from './bad-requests/bad-request.ts';
import { badRequests } from './bad-requests.ts';
import { answersOf, type WireAnswer } from './wire-answers.ts';

let site: Site;
let api: PerdureProcess;
let database: Database;
const targets = { secretKey: '', sessionId: '', runId: '' };

beforeAll(async () => {
  site = await openSite();
  api = await startProcess({ command: ['api'], environment: siteEnvironment(site) });
  database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
  const { body } = await apiOf(api.url, site.devKey).create({
    externalId: 'in order',
    taskIdentifier: 'nobody-serves-this',
  });
  Object.assign(targets, { secretKey: site.devKey, sessionId: body.id, runId: body.runId });
});

afterAll(async () => {
  await database?.close();
  await api?.stop();
  await site?.remove();
});

/** Every row of every table, as one text for each. */
async function fingerprint(): Promise<Record<string, unknown>> {
  const tables = await database.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1`,
  );
  const found: Record<string, unknown> = {};
  for (const { name } of tables) {
    const [row] = await database.query(
      `SELECT count(*) AS rows, md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS digest FROM "${name}" AS t`,
    );
    found[name] = row;
  }
  return found;
}

async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${api.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
}

/** What is wrong with the answers, in words; null when nothing is. */
function faultIn(answers: readonly WireAnswer[], { answersBefore = 0, isHead = false }: BadRequest): string | null {
  const early = answers.slice(0, answersBefore).find(({ status }) => status !== 200);
  if (early !== undefined) return `an answer before was ${early.status}`;
  const [answer, ...later] = answers.slice(answersBefore);
  if (answer === undefined || later.length > 0)
    return `${answers.length} answers: ${JSON.stringify(answers).slice(0, 300)}`;
  return refusalFault(answer, isHead);
}

function refusalFault({ status, headers, body }: WireAnswer, isHead: boolean): string | null {
  if (status < 400 || status > 499) return `${status} ${body.slice(0, 200)}`;
  if (headers.get('x-content-type-options') !== 'nosniff') return 'sniffing is not forbidden';
  return isHead ? null : shapeFault(status, headers.get('content-type') ?? '', body);
}

/** Of sections 5.2 and 5.4 of the protocol; everything else is JSON. */
const plainTexts = /^(Invalid timeout seconds|Timeout seconds must be .*|Session not found)$/;

function shapeFault(status: number, type: string, body: string): string | null {
  if (status === 405 && body === '') return null;
  if (type.startsWith('text/plain')) return plainTexts.test(body) ? null : `text: ${body}`;
  if (!type.startsWith('application/json')) return `of type ${type}`;
  const { error, details } = JSON.parse(body) as { error?: unknown; details?: unknown };
  if (typeof error !== 'string' || error === '') return `without an error: ${body}`;
  return details === undefined || Array.isArray(details) ? null : `with strange details: ${body}`;
}

describe('malformed requests', () => {
  test('are each refused in the shape of the API, and nothing is left of them', async () => {
    const rows = badRequests(targets);
    expect(rows.length).toBeGreaterThan(300);
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    const before = await fingerprint();

    const waiting = rows.entries();
    const faults: string[] = [];
    const work = async () => {
      for (const [, row] of waiting) {
        const fault = await answersOf(api.url, row.pieces)
          .then((answers) => faultIn(answers, row))
          .catch(String);
        if (fault !== null) faults.push(`${row.name}: ${fault}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    expect(faults).toEqual([]);
    expect(await fingerprint()).toEqual(before);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    expect(api.lines.filter((line) => /unhandled|request_failed|"level":"?(error|fatal|50|60)/i.test(line))).toEqual(
      [],
    );
  }, 120_000);

  test('of any size cost no memory that is not given back', async () => {
    const before = await residentBytes();
    const flood = Buffer.from(`${(8_000_000).toString(16)}\r\n${'x'.repeat(8_000_000)}\r\n0\r\n\r\n`);
    const routes = [
      ['POST', '/api/v1/sessions'],
      ['POST', `/realtime/v1/sessions/${targets.sessionId}/in/append`],
      ['POST', `/api/v1/sessions/${targets.sessionId}/close`],
      ['PUT', `/objects/v1/sessions/${targets.sessionId}/snapshot.json`],
      ['GET', '/nowhere'],
    ] as const;
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(
        routes.map(([method, target]) => {
          const credential = `Authorization: Bearer ${targets.secretKey}`;
          const head = `${method} ${target} HTTP/1.1\r\nHost: a\r\n${credential}\r\nTransfer-Encoding: chunked\r\n\r\n`;
          return answersOf(api.url, [Buffer.from(head), flood]);
        }),
      );
      // One that was cut off while it still wrote may have lost its answer.
      for (const { status } of answers.flat()) expect(Math.floor(status / 100)).toBe(4);
    }
    await expect.poll(async () => (await residentBytes()) - before, { timeout: 30_000 }).toBeLessThan(150_000_000);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  });
});
