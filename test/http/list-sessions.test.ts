/** GET /api/v1/sessions: rows, filters and pages as a client sees them. */
import { configure, sessions } from '@trigger.dev/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../harness/api.ts';
import { openSessionStage, type SessionStage } from './session-stage.ts';

let stage: SessionStage;
const made: string[] = [];

beforeAll(async () => {
  stage = await openSessionStage();
  for (let index = 0; index < 7; index += 1) {
    const { body } = await stage.api.create({
      externalId: `listed-${index}`,
      taskIdentifier: index % 2 === 0 ? 'quick' : 'hold',
      type: index < 5 ? 'chat.agent' : 'other, with a comma',
      tags: [`tag-${index % 3}`],
      metadata: { index },
    });
    made.unshift(body.id);
  }
  await stage.api.call('/api/v1/sessions/listed-0/close', { method: 'POST', body: { reason: 'done' } });
  const expiring = await stage.inState('expired');
  made.unshift(expiring.id);
  made.unshift((await stage.inState('overdue')).id);
});

afterAll(async () => {
  await stage?.stop();
});

const list = (query: string): Promise<Answer> => stage.api.call(`/api/v1/sessions${query === '' ? '' : `?${query}`}`);
const idsOf = ({ body }: Answer): string[] => body.data.map(({ id }: { id: string }) => id);
const named = (...indexes: number[]) => indexes.map((index) => made[made.length - 1 - index]);

test('a row has every field but triggerConfig and currentRunId, nulls included', async () => {
  const row = (await list('filter[externalId]=listed-0')).body.data[0];
  const { triggerConfig: _config, currentRunId: _run, ...rest } = (await stage.api.session('listed-0')).body;
  expect(row).toEqual(rest);
  expect(row).toMatchObject({ closedReason: 'done', expiresAt: null });
});

test('a session is listed as soon as its create is answered', async () => {
  const { body } = await stage.api.create({ externalId: 'just-now', taskIdentifier: 'quick' });
  made.unshift(body.id);
  expect(idsOf(await list('page[size]=1'))).toEqual([body.id]);
});

test('pages lead through all rows and back, and say what is on either side', async () => {
  const first = await list('page[size]=4');
  expect(first.body.pagination).toEqual({ next: expect.any(String) });
  const second = await list(`page[size]=4&page[after]=${first.body.pagination.next}`);
  expect(second.body.pagination).toEqual({ next: expect.any(String), previous: expect.any(String) });
  const third = await list(`page[size]=4&page[after]=${second.body.pagination.next}`);
  expect(third.body.pagination).toEqual({ previous: expect.any(String) });
  expect([first, second, third].flatMap(idsOf)).toEqual(made);
  const back = await list(`page[size]=4&page[before]=${third.body.pagination.previous}`);
  expect(back.body).toEqual(second.body);
  const start = await list(`page[size]=4&page[before]=${back.body.pagination.previous}`);
  expect(start.body).toEqual(first.body);
});

test('twenty rows are a page, unless another size is asked for', async () => {
  for (let index = 0; index < 15; index += 1) await stage.api.create({ type: 'many', taskIdentifier: 'quick' });
  expect((await list('')).body.data).toHaveLength(20);
  expect((await list('page[size]=100&filter[type]=many')).body.data).toHaveLength(15);
});

describe('filters', () => {
  test.each<[string, number[]]>([
    ['filter[status]=CLOSED', [0]],
    ['filter[status]=EXPIRED', [8, 7]],
    ['filter[status]=EXPIRED,CLOSED', [8, 7, 0]],
    ['filter%5Bstatus%5D=EXPIRED%2CCLOSED', [8, 7, 0]],
    ['filter[status]=EXPIRED&filter[status]=CLOSED', [8, 7, 0]],
    ['filter[status]=%20CLOSED%20,,', [0]],
    ['filter[status]=ACTIVE&filter[taskIdentifier]=hold', [5, 3, 1]],
    ['filter[status]=ACTIVE&filter[tags]=tag-0', [6, 3]],
    ['filter[tags]=tag-0,tag-1', [6, 4, 3, 1, 0]],
    ['filter[tags]=tag-0&filter[tags]=tag-1&filter[type]=chat.agent', [4, 3, 1, 0]],
    ['filter[taskIdentifier]=hold&filter[tags]=tag-2', [5]],
    ['filter[type]=no%20such%20type', []],
    ['filter[externalId]=listed-3', [3]],
    ['filter[externalId]=listed-3,listed-4', []],
    ['filter[externalId]=listed-3&filter[status]=CLOSED', []],
    ['filter[createdAt][from]=4102444800000', []],
    ['filter[createdAt][to]=0', []],
    ['filter[type]=&filter[createdAt][period]=1h30m&filter[externalId]=listed-1', [1]],
    ['filter[createdAt][period]=0s', []],
    ['unknown=1&filter[externalId]=listed-1', [1]],
  ])('%s', async (query, indexes) => {
    const answer = await list(query);
    expect(answer.status).toBe(200);
    expect(idsOf(answer)).toEqual(named(...indexes));
    expect(answer.body.pagination).toEqual({});
  });

  test('from and to include their own millisecond', async () => {
    const at = Date.parse((await stage.api.session('listed-4')).body.createdAt);
    expect(idsOf(await list(`filter[createdAt][from]=${at}&filter[createdAt][to]=${at}`))).toEqual(named(4));
  });
});

describe('400, with the path of what is wrong', () => {
  test.each([
    ['page[size]=0', 'page[size]'],
    ['page[size]=101', 'page[size]'],
    ['page[size]=1.5', 'page[size]'],
    ['page[size]=1&page[size]=2', 'page[size]'],
    ['page[after]=nonsense', 'page[after]'],
    ['page[before]=%27%20OR%201', 'page[before]'],
    ['filter[status]=OPEN', 'filter[status]'],
    ['filter[status]=ACTIVE,closed', 'filter[status]'],
    ['filter[createdAt][from]=yesterday', 'filter[createdAt][from]'],
    ['filter[createdAt][to]=1.5', 'filter[createdAt][to]'],
    ['filter[createdAt][to]=9999999999999999', 'filter[createdAt][to]'],
    ['filter[createdAt][to]=-210866803200001', 'filter[createdAt][to]'],
    ['filter[createdAt][from]=-8640000000000000', 'filter[createdAt][from]'],
    ['filter[createdAt][period]=soon', 'filter[createdAt][period]'],
    ['filter[tags]=a%00b', 'filter[tags]'],
    ['filter[externalId]=a&filter[externalId]=b', 'filter[externalId]'],
    [`filter[tags]=${Array.from({ length: 51 }, (_, index) => index).join(',')}`, 'filter[tags]'],
  ])('%s', async (query, path) => {
    const { status, body } = await list(query);
    expect({ status, body }).toEqual({
      status: 400,
      body: { error: 'Query Error', details: [{ code: 'custom', message: expect.any(String), path: [path] }] },
    });
  });

  test('both cursors', async () => {
    const { next } = (await list('page[size]=1')).body.pagination;
    expect(await list(`page[after]=${next}&page[before]=${next}`)).toMatchObject({
      status: 400,
      body: {
        details: [
          { message: 'Cannot pass both page[after] and page[before] on the same request', path: ['page[before]'] },
        ],
      },
    });
  });
});

test('the official client walks every page and stops', async () => {
  configure({ baseURL: stage.server.url, accessToken: stage.site.devKey });
  const seen: string[] = [];
  for await (const session of sessions.list({ status: ['CLOSED', 'EXPIRED'], limit: 2 })) seen.push(session.id);
  expect(seen).toEqual(named(8, 7, 0));
  const filters = { taskIdentifier: 'hold', tag: ['tag-0', 'tag-1'], limit: 1 };
  const page = await sessions.list(filters);
  expect(page.hasNextPage()).toBe(true);
  const older = await page.getNextPage();
  expect(older.data.map(({ id }) => id)).toEqual(named(1));
  // Its own `getPreviousPage` sends both cursors after a `getNextPage`.
  const { previous = '' } = older.pagination;
  expect((await sessions.list({ ...filters, before: previous })).data.map(({ id }) => id)).toEqual(named(3));
});
