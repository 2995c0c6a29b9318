import { describe, expect, test } from 'vitest';
import { runIdOf, sessionIdOf } from '../../src/domain/ids.ts';
import type { Session } from '../../src/domain/session.ts';
import { httpApp } from '../../src/http/app.ts';
import { listen } from '../../src/http/listen.ts';
import { environmentOf } from '../tokens/stored-keys.ts';
import { headOf, openRaw, refusingParts, refusingUseCases, startEdge } from './edge.ts';

/** More than the buffers of both ends of a socket hold. */
const largeBytes = 20_000_000;

const largeSession: Session = {
  id: sessionIdOf('0'.repeat(25)),
  environmentId: environmentOf('dev').id,
  workflowId: 'session/dev/chat_1',
  externalId: 'chat_1',
  type: 'chat.agent',
  taskIdentifier: 'my-chat',
  triggerConfig: { basePayload: {} },
  tags: [],
  metadata: { filler: 'x'.repeat(largeBytes) },
  requestKey: 'key',
  createdAt: new Date(0),
  updatedAt: new Date(0),
  closedAt: null,
  closedReason: null,
  expiresAt: null,
  expiredAt: null,
  currentRun: { id: runIdOf('0'.repeat(25)), number: 1, live: true },
  readAt: new Date(0),
};

describe('the socket', () => {
  test('a taken port is told in a plain sentence', async () => {
    const edge = await startEdge();
    const app = httpApp(refusingParts);
    await expect(listen(app, { host: '127.0.0.1', port: edge.port })).rejects.toThrow(
      `Port ${edge.port} of 127.0.0.1 is taken by another process`,
    );
    await edge.close();
  });

  test('closing lets an answer under way finish, ends idle connections, and takes no new one', async () => {
    let answerNow: (() => void) | undefined;
    const retrieveSession = () =>
      new Promise<null>((resolve) => {
        answerNow = () => resolve(null);
      });
    const served = await startEdge({ useCases: { ...refusingUseCases, retrieveSession } });
    const idle = await openRaw(served.port);
    idle.send(headOf('GET', '/healthz'));
    await expect.poll(() => idle.received()).toContain('200 OK');
    const busy = await openRaw(served.port);
    busy.send(headOf('GET', '/api/v1/sessions/chat_1'));
    await expect.poll(() => answerNow !== undefined).toBe(true);

    const closed = served.closeGently(5_000);
    await expect.poll(() => idle.isEnded()).toBe(true);
    expect(busy.isEnded()).toBe(false);
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow('fetch failed');
    answerNow?.();
    await closed;
    // Sent is not yet received: the two ends of a socket are told at different moments.
    await expect.poll(() => busy.isEnded()).toBe(true);
    expect(busy.received()).toContain('404 Not Found');
  });

  test('an answer that a slow reader has not taken yet is sent to its end before its connection is', async () => {
    const served = await startEdge({ useCases: { ...refusingUseCases, retrieveSession: async () => largeSession } });
    const slow = await openRaw(served.port);
    slow.send(headOf('GET', '/api/v1/sessions/chat_1'));
    await expect.poll(() => slow.received()).toContain('200 OK');
    slow.socket.pause();
    const closed = served.closeGently(20_000);
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow('fetch failed');
    // Long enough for anything that looks for idle connections from time to time to have come by.
    const pausedUntilMs = performance.now() + 200;
    await expect.poll(() => performance.now() > pausedUntilMs).toBe(true);
    slow.socket.resume();
    await closed;
    await expect.poll(() => slow.isEnded()).toBe(true);
    expect(slow.received().length).toBeGreaterThan(largeBytes);
    expect(slow.received().endsWith('}')).toBe(true);
  });

  test('a request that was on its way when closing began is still answered', async () => {
    const served = await startEdge();
    const early = await openRaw(served.port);
    const closed = served.closeGently(5_000);
    await expect(fetch(`${served.url}/healthz`)).rejects.toThrow('fetch failed');
    early.send(headOf('GET', '/healthz'));
    await closed;
    await expect.poll(() => early.isEnded()).toBe(true);
    expect(early.received()).toContain('{"status":"ok"}');
    expect(early.received()).toMatch(/Connection: close/i);
  });

  test('a busy client that had no chance to see the end gets one more answer, and is told', async () => {
    const served = await startEdge();
    const busy = await openRaw(served.port);
    busy.send(headOf('GET', '/healthz'));
    await expect.poll(() => busy.received()).toContain('200 OK');
    const closed = served.closeGently(5_000);
    busy.send(headOf('GET', '/healthz'));
    await closed;
    await expect.poll(() => busy.isEnded()).toBe(true);
    expect(busy.received().match(/200 OK/g)).toHaveLength(2);
    expect(busy.received()).toMatch(/Connection: close/i);
  });

  test('what does not finish within the grace is cut, a connection without a request too', async () => {
    let isReached = false;
    const retrieveSession = () => {
      isReached = true;
      return new Promise<null>(() => undefined);
    };
    const served = await startEdge({ useCases: { ...refusingUseCases, retrieveSession } });
    const silent = await openRaw(served.port);
    const busy = await openRaw(served.port);
    busy.send(headOf('GET', '/api/v1/sessions/chat_1'));
    await expect.poll(() => isReached).toBe(true);
    await served.closeGently(100);
    await expect.poll(() => busy.isEnded() && silent.isEnded()).toBe(true);
    await expect
      .poll(() => served.facts)
      .toContainEqual(expect.objectContaining({ kind: 'request_answered', aborted: true }));
  });
});
