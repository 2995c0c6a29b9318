import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ClaimOutcome, claimRun, clockAheadMs } from '../../src/tasks/claim-run.ts';
import { type ClaimPeer, granted, startClaimPeer } from './claim-peer.ts';

const secretKey = 'tr_dev_0123456789abcdef';
let peer: ClaimPeer;

beforeEach(async () => {
  peer = await startClaimPeer();
});
afterEach(async () => {
  await peer.close();
});

function claim(more: { readonly signal?: AbortSignal; readonly deadlineMs?: number } = {}): Promise<ClaimOutcome> {
  const url = `${peer.url}/api/v1/runs/run_1/claim`;
  return claimRun({ url, secretKey, attempt: 2, signal: new AbortController().signal, ...more });
}

test('a claim names its attempt and carries the secret key', async () => {
  const outcome = await claim();
  expect(peer.calls).toEqual([
    {
      method: 'POST',
      path: '/api/v1/runs/run_1/claim',
      authorization: `Bearer ${secretKey}`,
      body: { attempt: 2 },
    },
  ]);
  expect(outcome).toEqual({
    kind: 'granted',
    claim: { sessionId: 'session_1', runNumber: 1, attempt: 1, cursor: 0, deadlineAtMs: null, attemptKey: 'k' },
  });
});

test('a granted deadline is a moment of this clock', async () => {
  const deadlineAt = new Date(Date.now() + 60_000).toISOString();
  peer.answer(granted(deadlineAt));
  const outcome = await claim();
  expect(outcome).toMatchObject({ kind: 'granted', claim: { deadlineAtMs: Date.parse(deadlineAt) } });
});

test('a server whose clock is an hour ahead does not cut the deadline short', async () => {
  const serverNow = Date.now() + 3_600_000;
  const deadlineAt = new Date(serverNow + 60_000).toISOString();
  peer.answer({ ...granted(deadlineAt), headers: { date: new Date(serverNow).toUTCString() } });
  const outcome = await claim();
  const leftMs = outcome.kind === 'granted' ? (outcome.claim.deadlineAtMs ?? 0) - Date.now() : null;
  expect(leftMs).toBeGreaterThan(55_000);
  expect(leftMs).toBeLessThan(65_000);
});

test.each([
  [409, 'refused'],
  [404, 'refused'],
  [401, 'unauthorized'],
  [403, 'unauthorized'],
  [400, 'rejected'],
  [413, 'rejected'],
  [422, 'rejected'],
] as const)('an answer %i is final: %s', async (status, kind) => {
  peer.answer({ status });
  expect(await claim()).toMatchObject({ kind });
  expect(peer.calls).toHaveLength(1);
});

test('a key that is not accepted is named by its variable, never by its text', async () => {
  peer.answer({ status: 401 });
  const outcome = await claim();
  const problem = outcome.kind === 'granted' ? '' : outcome.problem;
  expect(problem).toContain('TRIGGER_SECRET_KEY');
  expect(problem).not.toContain(secretKey);
});

test('a redirect is not followed, so the key stays with its server', async () => {
  peer.answer({ status: 307, headers: { location: `${peer.url}/elsewhere` } });
  expect(await claim()).toMatchObject({ kind: 'rejected' });
  expect(peer.calls).toHaveLength(1);
});

test.each([500, 502, 503, 408, 429])('an answer %i is asked again', async (status) => {
  peer.answer((call) => (call < 3 ? { status } : granted()));
  expect(await claim()).toMatchObject({ kind: 'granted' });
  expect(peer.calls).toHaveLength(3);
});

test('a connection that breaks is tried again until the deadline', async () => {
  peer.answer('break');
  const outcome = await claim({ deadlineMs: 400 });
  expect(outcome).toMatchObject({ kind: 'unanswered' });
  expect(peer.calls.length).toBeGreaterThan(1);
});

test.each([
  ['no JSON', '<html></html>'],
  ['another shape', { ok: true }],
  ['more than a claim can be', 'x'.repeat(20_000)],
])('an answer 200 with %s is no claim', async (_, body) => {
  peer.answer({ status: 200, body });
  expect(await claim({ deadlineMs: 50 })).toMatchObject({ kind: 'unanswered' });
});

test('a stop ends a claim that nobody answers', async () => {
  peer.answer('hang');
  const stop = new AbortController();
  const claiming = claim({ signal: stop.signal });
  await expect.poll(() => peer.calls.length).toBe(1);
  stop.abort();
  expect(await claiming).toMatchObject({ kind: 'unanswered' });
});

test('nobody listening says so', async () => {
  await peer.close();
  const outcome = await claim({ deadlineMs: 50 });
  expect(outcome).toMatchObject({ kind: 'unanswered', problem: expect.stringContaining('ECONNREFUSED') });
});

test('clocks within two seconds are equal, a missing or broken header changes nothing', () => {
  const now = Date.parse('2026-01-01T00:00:10.000Z');
  expect(clockAheadMs('Thu, 01 Jan 2026 00:00:09 GMT', now)).toBe(0);
  expect(clockAheadMs('Thu, 01 Jan 2026 00:00:00 GMT', now)).toBe(10_000);
  expect(clockAheadMs('Thu, 01 Jan 2026 00:01:10 GMT', now)).toBe(-60_000);
  expect(clockAheadMs(null, now)).toBe(0);
  expect(clockAheadMs('yesterday', now)).toBe(0);
});
