/** I8 of one session: on every route about it, who may not see it gets the answer about one that never was. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { operations } from '../harness/api-document.ts';
import type { SessionStage } from '../http/session-stage.ts';
import type { OpenedSession } from '../workflows/stage.ts';

interface Question {
  readonly method: string;
  /** With `{session}` where its key goes. */
  readonly target: string;
  readonly body?: string;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Two replies to one question: about the session, and about one that never was. */
interface Pair {
  readonly question: Question;
  readonly asking: Asking;
  readonly there: Reply;
  readonly absent: Reply;
}

const reads: readonly Question[] = operations
  .filter(({ method, path, needsCredential }) => /^(GET|HEAD)$/.test(method) && needsCredential && isOfSession(path))
  .flatMap(({ method, path }) =>
    (path.includes('{io}') ? ['in', 'out'] : ['']).map((io) => ({
      method,
      target: path.replace('{io}', io).replace('{channel}', 'default'),
    })),
  );
const list: Question = { method: 'GET', target: '/api/v1/sessions?filter[externalId]={session}' };
const actions: readonly Question[] = [
  { method: 'POST', target: '/realtime/v1/sessions/{session}/in/append', body: 'from nobody' },
  { method: 'POST', target: '/api/v1/sessions/{session}/close', body: '{"reason":"by nobody"}' },
];

function isOfSession(path: string): boolean {
  return path.includes('{session}');
}

/** No public token opens it, so that none learns anything there. */
const isForKeysOnly = ({ target }: Question): boolean => target.endsWith('/transcript');

/** Of one answer or its connection, whatever it says. */
const headersOfOneAnswer = new Set(['date', 'x-request-id', 'connection', 'keep-alive']);
const pings = /event: ping\ndata: \{"timestamp":\d+\}\n\n/g;

/** Row-optional reads (protocol section 5): to them an external id without a session is an empty channel. */
const isRowOptional = ({ question, asking }: Pair): boolean =>
  reads.includes(question) && question.target.startsWith('/realtime/') && !asking.key.startsWith('session_');

/** Only the session's own key can tell, and only where there is something: no race uses a named channel. */
const isEmptyToAll = (pair: Pair): boolean => isRowOptional(pair) && pair.question.target.includes('/channels/');

const unauthorized = {
  status: 403,
  body: '{"error":"Unauthorized","code":"unauthorized","param":"access_token","type":"authorization"}',
};
const notFound = { status: 404, body: '{"error":"Not found"}' };

export interface Hidden {
  readonly stage: SessionStage;
  /** Of two API processes: one is asked by the session's id, the other by its external id. */
  readonly urls: readonly [string, string];
  readonly session: OpenedSession;
}

/** The last check of a session: to prove that the questions tell it apart, its own key asks them too, and that closes it. */
export async function expectHidden({ stage, urls, session }: Hidden): Promise<void> {
  const token = await stage.tokenOf('read:sessions:another', 'write:sessions:another', 'admin:sessions:another');
  const before = await stage.rows(session);
  const forms = [
    { url: urls[0], key: session.id, nobody: `session_${randomBytes(13).toString('hex').slice(1)}`, lists: [] },
    { url: urls[1], key: session.externalId, nobody: `nobody-${randomBytes(8).toString('hex')}`, lists: [list] },
  ];
  for (const { lists, ...form } of forms) {
    const questions = [...actions, ...lists, ...reads];
    expectAlike(await askAll(questions, { ...form, credential: stage.site.prodKey }));
    expectAsTheProtocolSays(await askAll(questions, { ...form, credential: token }));
  }
  await expectListedNowhere(stage, urls);
  const after = await stage.rows(session);
  expect(after.records).toEqual(before.records);
  expect(after.gate['closed_at']).toEqual(before.gate['closed_at']);
  for (const { lists, ...form } of forms) {
    const questions = [...actions, ...lists, ...reads];
    const pairs = await askAll(questions, { ...form, credential: stage.site.devKey });
    const told = pairs.filter((pair) => isToldApart(pair) !== isEmptyToAll(pair));
    expect(told.map(({ question }) => question)).toEqual(questions);
  }
}

const isToldApart = ({ there, absent }: Pair): boolean => JSON.stringify(there) !== JSON.stringify(absent);

/** To the key of another environment there is no such session. */
function expectAlike(pairs: readonly Pair[]): void {
  for (const pair of pairs) {
    const { question, there, absent } = pair;
    expect(pair).toEqual({ ...pair, there: absent });
    const status = question === list || isRowOptional(pair) ? 200 : 404;
    expect({ question, there }).toMatchObject({ there: { status } });
  }
  expect(pairs.filter(isToldApart)).toEqual([]);
}

/**
 * A token for another session of the same environment: reads look the session up first (protocol section 1.3), and
 * tell it nothing more; the list and the actions judge the token first.
 */
function expectAsTheProtocolSays(pairs: readonly Pair[]): void {
  for (const pair of pairs) {
    const { question, there, absent } = pair;
    if (!reads.includes(question) || isForKeysOnly(question) || isRowOptional(pair)) {
      expect(pair).toEqual({ ...pair, there: absent });
      expect({ question, there }).toMatchObject({ there: { status: isForKeysOnly(question) ? 401 : 403 } });
      continue;
    }
    const bodyOf = ({ body }: Reply) => (question.method === 'HEAD' ? '' : body);
    expect({ question, there }).toMatchObject({ there: { status: 403, body: bodyOf({ ...there, ...unauthorized }) } });
    expect({ question, absent }).toMatchObject({ absent: { status: 404, body: bodyOf({ ...absent, ...notFound }) } });
    expect(commonHeaders(there)).toEqual(commonHeaders(absent));
  }
}

/** Without those that differ between any 403 and any 404. */
function commonHeaders({ headers }: Reply): Readonly<Record<string, string>> {
  const { 'content-length': _length, 'x-should-retry': _retry, ...common } = headers;
  return common;
}

async function expectListedNowhere({ site }: SessionStage, urls: readonly string[]): Promise<void> {
  for (const url of urls) {
    const whole = { method: 'GET', target: '/api/v1/sessions' };
    const { status, body } = await ask(whole, { url, key: '', credential: site.prodKey });
    expect({ status, body: JSON.parse(body) }).toMatchObject({ status: 200, body: { data: [] } });
  }
}

interface Asking {
  readonly url: string;
  readonly key: string;
  readonly credential: string;
}

/** Actions in their order, as the second depends on the first; then reads at once, as a tail takes a second. */
async function askAll(questions: readonly Question[], asking: Asking & { readonly nobody: string }): Promise<Pair[]> {
  const answered = async (question: Question): Promise<Pair> => ({
    question,
    asking,
    there: await ask(question, asking),
    absent: await ask(question, { ...asking, key: asking.nobody }),
  });
  const acted: Pair[] = [];
  for (const question of questions.filter((asked) => actions.includes(asked))) acted.push(await answered(question));
  return [...acted, ...(await Promise.all(questions.filter((asked) => !actions.includes(asked)).map(answered)))];
}

/** The bytes of the answer; a tail's, until a second has passed without a record. */
async function ask({ method, target, body }: Question, { url, key, credential }: Asking): Promise<Reply> {
  const response = await fetch(`${url}${target.replace('{session}', encodeURIComponent(key))}`, {
    method,
    headers: {
      Authorization: `Bearer ${credential}`,
      Origin: 'https://chat.example',
      'Timeout-Seconds': '1',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
  return {
    status: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => !headersOfOneAnswer.has(name))),
    body: (await response.text()).replaceAll(pings, ''),
  };
}
