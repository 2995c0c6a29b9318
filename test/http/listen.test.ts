import { describe, expect, test } from 'vitest';
import { httpApp } from '../../src/http/app.ts';
import { listen } from '../../src/http/listen.ts';
import { ringOf } from '../tokens/stored-keys.ts';
import { headOf, openRaw, refusingUseCases, secretKey, startEdge } from './edge.ts';

describe('the socket', () => {
  test('a taken port is told in a plain sentence', async () => {
    const edge = await startEdge();
    const app = httpApp({ useCases: refusingUseCases, keys: ringOf(secretKey), probes: {}, observe: () => undefined });
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
    expect(busy.received()).toContain('404 Not Found');
  });

  test('what does not finish within the grace is cut', async () => {
    const retrieveSession = () => new Promise<null>(() => undefined);
    const served = await startEdge({ useCases: { ...refusingUseCases, retrieveSession } });
    const busy = await openRaw(served.port);
    busy.send(headOf('GET', '/api/v1/sessions/chat_1'));
    await expect.poll(() => served.facts.length).toBe(0);
    await served.closeGently(100);
    await expect.poll(() => busy.isEnded()).toBe(true);
    await expect
      .poll(() => served.facts)
      .toContainEqual(expect.objectContaining({ kind: 'request_answered', aborted: true }));
  });
});
