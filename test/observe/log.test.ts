import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/observe/log.ts';
import { logFacts } from '../../src/observe/log-facts.ts';

const secretKey = 'tr_dev_0123456789abcdefSECRET';
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJlbnZfMSJ9.c2lnbmF0dXJlU0VDUkVU';
const opaque = 'opaque-SECRET-of-another-kind';

class Lines extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe.each(['json', 'pretty'] as const)('a log in %s', (format) => {
  test('never shows a secret, wherever it was put', () => {
    const lines = new Lines();
    const log = createLog({ level: 'trace', format, destination: lines });
    log.info({ authorization: opaque, headers: { authorization: opaque, cookie: opaque } }, 'by name');
    log.info({ secretKey, encryptionKey: opaque, config: { secretKeys: [opaque], apiKey: opaque, password: opaque } });
    log.info({
      body: { publicAccessToken: opaque, deep: { deeper: { publicAccessToken: token, list: [secretKey] } } },
    });
    log.info(`a message with ${secretKey} and ${token}`);
    log.error({ err: new Error(`refused ${secretKey}`, { cause: new Error(`because of ${token}`) }) }, 'failed');
    log.warn({ [secretKey]: token, url: `postgres://perdure:${opaque}@db.example:5432/perdure` });
    log.child({ token: opaque, key: secretKey }).info('child');
    expect(lines.text).toContain('by name');
    expect(lines.text).toContain('db.example');
    expect(lines.text).not.toContain('SECRET');
    expect(lines.text).not.toContain('eyJzdWIi');
  });
});

test('a log line of a request is one line of JSON with its ids', () => {
  const lines = new Lines();
  const observe = logFacts(createLog({ level: 'info', format: 'json', destination: lines }));
  const request = { requestId: 'r1', method: 'POST', route: '/api/v1/sessions', environment: 'dev', runId: undefined };
  observe({
    kind: 'request_answered',
    ...request,
    status: 201,
    durationMs: 12.345,
    sessionId: 'session_1',
    aborted: false,
  });
  const [line = '', rest] = lines.text.split('\n');
  expect(rest).toBe('');
  expect(JSON.parse(line)).toMatchObject({
    level: 30,
    requestId: 'r1',
    method: 'POST',
    route: '/api/v1/sessions',
    status: 201,
    ms: 12.3,
    sessionId: 'session_1',
    msg: 'request',
  });
});

test('an answer of 5xx is a warning, a fault an error with its cause', () => {
  const lines = new Lines();
  const observe = logFacts(createLog({ level: 'warn', format: 'json', destination: lines }));
  const request = {
    requestId: 'r1',
    method: 'GET',
    route: null,
    environment: undefined,
    sessionId: undefined,
    runId: undefined,
  };
  observe({ kind: 'request_answered', ...request, status: 200, durationMs: 1, aborted: false });
  observe({ kind: 'request_answered', ...request, status: 503, durationMs: 1, aborted: true });
  observe({
    kind: 'request_failed',
    requestId: 'r1',
    route: null,
    error: new Error('broken', { cause: new Error('root') }),
  });
  const logged = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(logged).toHaveLength(2);
  expect(logged[0]).toMatchObject({ level: 40, status: 503, aborted: true });
  expect(logged[1]).toMatchObject({ level: 50, err: { message: 'broken: root' } });
});
