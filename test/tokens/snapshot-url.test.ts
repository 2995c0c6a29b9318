import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sessionIdOf } from '../../src/domain/ids.ts';
import { snapshotUrlTtlSeconds } from '../../src/domain/limits.ts';
import { type SnapshotGrant, snapshotUrls } from '../../src/tokens/snapshot-url.ts';

const encryptionKey = randomBytes(32).toString('hex');
const startMs = 1_750_000_000_000;
let nowMs = startMs;
const urls = snapshotUrls([encryptionKey], () => nowMs);
const sessionId = sessionIdOf('a'.repeat(25));
const fenced: SnapshotGrant = { method: 'PUT', sessionId, writer: { runNumber: 3, attempt: 2 } };

const partsOf = (url: string, method = 'PUT') => {
  const [path = '', query = ''] = url.split('?');
  return { method, path, query };
};

describe('a snapshot URL', () => {
  test.each<[string, SnapshotGrant]>([
    ['to read', { method: 'GET', sessionId, writer: null }],
    ['to write', { method: 'PUT', sessionId, writer: null }],
    ['to write for one attempt', fenced],
  ])('%s grants what it was signed for', (_, grant) => {
    expect(urls.verify(partsOf(urls.sign(grant), grant.method))).toEqual(grant);
  });

  test('is over after its time', () => {
    const url = urls.sign(fenced);
    nowMs = startMs + (snapshotUrlTtlSeconds - 1) * 1_000;
    expect(urls.verify(partsOf(url))).not.toBeNull();
    nowMs = startMs + snapshotUrlTtlSeconds * 1_000;
    expect(urls.verify(partsOf(url))).toBeNull();
    nowMs = startMs;
  });

  const { path, query } = partsOf(urls.sign(fenced));
  test.each([
    ['another method', { method: 'GET', path, query }],
    ['another session', { method: 'PUT', path: path.replace('aaa', 'bbb'), query }],
    ['another attempt', { method: 'PUT', path, query: query.replace('attempt=2', 'attempt=3') }],
    ['another run', { method: 'PUT', path, query: query.replace('run=3', 'run=4') }],
    ['no attempt', { method: 'PUT', path, query: query.replace('run=3&attempt=2&', '') }],
    ['a later end', { method: 'PUT', path, query: query.replace(/expires=\d+/, 'expires=99999999999') }],
    ['something behind it', { method: 'PUT', path, query: `${query}&run=4` }],
    ['something before it', { method: 'PUT', path, query: `run=4&${query}` }],
    ['another order', { method: 'PUT', path, query: query.split('&').reverse().join('&') }],
    ['a signature cut short', { method: 'PUT', path, query: query.slice(0, -1) }],
    ['no signature', { method: 'PUT', path, query: query.replace(/&signature=.*/, '') }],
    ['nothing', { method: 'PUT', path, query: '' }],
    ['an external id', { method: 'PUT', path: path.replace(sessionId, 'chat_1'), query }],
  ])('with %s opens nothing', (_, request) => {
    expect(urls.verify(request)).toBeNull();
  });

  test('of another installation opens nothing; of an earlier encryption key it does until its end', () => {
    const url = partsOf(urls.sign(fenced));
    const later = randomBytes(32).toString('hex');
    expect(snapshotUrls([later], () => nowMs).verify(url)).toBeNull();
    expect(snapshotUrls([later, encryptionKey], () => nowMs).verify(url)).toEqual(fenced);
  });

  test('tells nothing of the key that signs it', () => {
    expect(urls.sign(fenced)).not.toContain(encryptionKey.slice(0, 8));
  });
});
