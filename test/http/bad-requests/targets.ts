/** Paths and queries that name nothing. */
import { routesOf } from '../../../src/http/app.ts';
import type { Route } from '../../../src/http/route.ts';
import { refusingParts } from '../edge.ts';
import type { BadRequest, Make, Targets } from './bad-request.ts';

const addressed = (): readonly Route[] => routesOf(refusingParts).filter(({ path }) => path.includes(':'));

const strangeTargets = [
  '',
  '*',
  '?',
  '//',
  '/..',
  '/api/v1/sessions/',
  '/api/v1/sessions/a/b',
  '/API/V1/SESSIONS',
  '/api/v1/sessions%2f',
  '/api/v1/sessions;a=b',
  '/%2e%2e/',
  'http://',
  'http://[',
  'x',
  '/realtime/v1/sessions/a',
  `/realtime/v1/sessions/a/up`,
  '/realtime/v1/sessions/a/in/out',
  '/realtime/v1/sessions/a/channels/%20/in',
  `/realtime/v1/sessions/a/channels/${'c'.repeat(129)}/in`,
];

export function badPaths({ sessionId, runId }: Targets, make: Make): BadRequest[] {
  const filled = (path: string, part: string) =>
    path
      .replace(/:(session|run|channel|waitpoint)/, part)
      .replace(':io', 'in')
      .replace(':run', runId)
      .replace(/:session/, sessionId)
      .replace(/:\w+/g, 'x');
  const segments = [
    '%',
    '%zz',
    '%ff',
    '%c0%80',
    '%ed%a0%80',
    'a%00b',
    '%E2%82',
    '\xe9',
    '__proto__',
    'constructor',
    'toString',
    'session_',
    `session_${'z'.repeat(300)}`,
    'run_..%2f..',
    "'%20or%201=1--",
    'x'.repeat(4_000),
  ];
  const rows = addressed().flatMap((route) =>
    segments
      // A stream of a session that is yet to be made may be read.
      .filter(
        (part) =>
          !(route.path.startsWith('/realtime') && route.method !== 'POST' && !/^(%|a%00b|\xe9|session_)/.test(part)),
      )
      .map((part) =>
        make(`${route.method} ${route.path} of ${part.slice(0, 20)}`, {
          method: route.method,
          target: filled(route.path, part),
          ...(route.method === 'GET' ? {} : { body: '{}' }),
        }),
      ),
  );
  return [...rows, ...strangeTargets.map((target) => make(`GET ${target}`, { target }))];
}

export function badQueries(make: Make): BadRequest[] {
  const list = [
    'page[size]=0',
    'page[size]=101',
    'page[size]=-1',
    'page[size]=1.5',
    'page[size]=x',
    'page[size]=1&page[size]=2',
    'page[size]=1e2',
    'page[size]=%31%00',
    'page[after]=x',
    'page[before]=%ff',
    'page[after]=a&page[before]=b',
    `page[after]=${'x'.repeat(3_000)}`,
    'page[after]=__proto__',
    'filter[status]=OPEN',
    'filter[status]=active',
    'filter[status]=ACTIVE,x',
    'filter[status]=__proto__',
    'filter[createdAt][period]=x',
    'filter[createdAt][period]=-1d',
    'filter[createdAt][period]=1',
    `filter[createdAt][period]=${'9'.repeat(400)}d`,
    'filter[createdAt][from]=x',
    'filter[createdAt][from]=1e3',
    'filter[createdAt][from]=99999999999999999999',
    'filter[createdAt][to]=1.5',
    'filter[createdAt][to]=NaN',
    'filter[createdAt][from]=1&filter[createdAt][from]=2',
    'filter[externalId]=a&filter[externalId]=b',
    'filter[externalId]=a%00',
    'filter[tags]=%00',
    'filter[type]=a,%00',
    'filter[taskIdentifier]=%00',
    `filter[tags]=${Array.from({ length: 51 }, (_, index) => index).join(',')}`,
  ];
  const records = [
    'afterEventId=x',
    'afterEventId=',
    'afterEventId=-1',
    'afterEventId=1.5',
    'afterEventId=1&afterEventId=2',
    'afterEventId=%31%00',
    'afterEventId=0x10',
  ];
  const transcript = ['limit=x', 'limit=', 'limit=1.5', 'limit=1&limit=2', 'limit=99999999999', 'before=a&before=b'];
  return [
    ...list.map((query) => make(`list by ${query.slice(0, 60)}`, { target: `/api/v1/sessions?${query}` })),
    ...records.map((query) => make(`records by ${query}`, { target: `/realtime/v1/sessions/x/in/records?${query}` })),
    ...transcript.map((query) => make(`transcript by ${query}`, { target: `/api/v1/sessions/x/transcript?${query}` })),
  ];
}
