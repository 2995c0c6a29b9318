/**
 * The same law over HTTP, with API processes of their own: two on one PostgreSQL, also while one of them is killed and
 * comes back, and one on PGlite.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/storage/database.ts';
import { openPostgres } from '../../../src/storage/postgres.ts';
import { apiOf } from '../../harness/api.ts';
import { concurrentLaw, counted } from '../../harness/counts.ts';
import { freePort } from '../../harness/free-port.ts';
import { type PerdureProcess, startProcess } from '../../harness/processes.ts';
import { openSite, type Site, siteEnvironment } from '../../harness/server.ts';
import { contradictions } from './history.ts';
import { httpProcess } from './http-process.ts';
import { type Program, programStreams, programs } from './program.ts';
import { type ProgramStage, runProgram } from './run-program.ts';

const timeout = 600_000;
let sessions = 0;

/** No worker serves its task: the first run stays queued, and live. */
async function open(url: string, site: Site): Promise<string> {
  sessions += 1;
  const { status, body } = await apiOf(url, site.devKey).create({ externalId: `program/${sessions}` });
  expect(status).toBe(201);
  return body.id as string;
}

async function holds(stage: ProgramStage, program: Program): Promise<void> {
  const histories = await runProgram(stage, program);
  for (const stream of programStreams) {
    expect({ stream, broken: contradictions(histories[stream]) }).toEqual({ stream, broken: [] });
  }
}

const stageOf = (parts: { urls: readonly string[]; site: Site; session: string }): ProgramStage['processes'] =>
  parts.urls.map((url) => httpProcess({ url, key: parts.site.devKey, session: parts.session }));

describe('two API processes on PostgreSQL', () => {
  let site: Site;
  let database: Database;
  let apis: PerdureProcess[];
  let ports: number[];

  const startApi = (port: number) =>
    startProcess({ command: ['api'], environment: { ...siteEnvironment(site), PORT: String(port) } });

  beforeAll(async () => {
    site = await openSite();
    database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
    ports = [await freePort(), await freePort()];
    apis = await Promise.all(ports.map(startApi));
  });
  afterAll(async () => {
    await Promise.all((apis ?? []).map((api) => api.kill()));
    await database?.close();
    await site?.remove();
  });

  const stageFor = async (): Promise<ProgramStage> => {
    const urls = apis.map(({ url }) => url);
    const session = await open(urls[0] as string, site);
    const trimSql = 'UPDATE outs SET trimmed_before = greatest(trimmed_before, least($2, next)) WHERE session_id = $1';
    return {
      processes: stageOf({ urls, site, session }),
      trim: async (before) => void (await database.query(trimSql, [session, before])),
    };
  };

  test('are one list to all callers', { timeout }, async () => {
    const law = fc.asyncProperty(programs, async (program) => holds(await stageFor(), program));
    await fc.assert(law, concurrentLaw(counted(8, 200)));
  });

  test('also while one of them is killed and comes back', { timeout }, async () => {
    const law = fc.asyncProperty(programs, fc.nat({ max: 60 }), async (program, killAtMs) => {
      const stage = await stageFor();
      const killing = new Promise<void>((resolve, reject) => {
        setTimeout(() => {
          const restart = async () => {
            await apis[1]?.kill();
            apis[1] = await startApi(ports[1] as number);
          };
          restart().then(resolve, reject);
        }, killAtMs);
      });
      await Promise.all([holds(stage, program), killing]);
    });
    await fc.assert(law, concurrentLaw(counted(2, 30)));
  });
});

describe('one API process on PGlite', () => {
  let site: Site;
  let api: PerdureProcess;

  beforeAll(async () => {
    site = await openSite();
    api = await startProcess({ command: ['api'], environment: { ...siteEnvironment(site), DATABASE_URL: '' } });
  });
  afterAll(async () => {
    await api?.kill();
    await site?.remove();
  });

  test('is one list to all callers', { timeout }, async () => {
    const law = fc.asyncProperty(programs, async (program) => {
      const session = await open(api.url, site);
      await holds({ processes: stageOf({ urls: [api.url], site, session }), trim: null }, program);
    });
    await fc.assert(law, concurrentLaw(counted(8, 200)));
  });
});
