import { z } from 'zod';
import type { HttpParts } from '../http-parts.ts';
import type { Route } from '../route.ts';
import { probeDeadlineMs } from '../server-limits.ts';

/** The process lives. Says nothing of its parts: a restart would not mend them. */
export const aliveRoute: Route = {
  method: 'GET',
  path: '/healthz',
  crossOrigin: false,
  credential: 'none',
  operation: {
    id: 'is_alive',
    tag: 'server',
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does.', schema: z.object({ status: z.literal('ok') }) } },
  },
  async answer(exchange) {
    exchange.body = { status: 'ok' };
  },
};

const readiness = z.object({
  status: z.enum(['ready', 'unavailable']),
  parts: z.record(z.string(), z.enum(['up', 'down'])),
});

/** Whether requests can be served now; names each part and whether it is down. */
export const readyRoute = ({ probes }: Pick<HttpParts, 'probes'>): Route => ({
  method: 'GET',
  path: '/readyz',
  crossOrigin: false,
  credential: 'none',
  operation: {
    id: 'is_ready',
    tag: 'server',
    summary: 'Whether requests can be served now',
    answers: {
      200: { description: 'Every part answers.', schema: readiness },
      503: { description: 'A part does not answer.', schema: readiness },
    },
  },
  async answer(exchange) {
    const parts = await Promise.all(
      Object.entries(probes).map(
        async ([name, probe]) => [name, (await answersInTime(probe)) ? 'up' : 'down'] as const,
      ),
    );
    const isReady = parts.every(([, state]) => state === 'up');
    exchange.status = isReady ? 200 : 503;
    exchange.body = { status: isReady ? 'ready' : 'unavailable', parts: Object.fromEntries(parts) };
  },
});

function answersInTime(probe: () => Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => resolve(false), probeDeadlineMs);
    const settle = (isUp: boolean): void => {
      clearTimeout(deadline);
      resolve(isUp);
    };
    probe().then(
      () => settle(true),
      () => settle(false),
    );
  });
}
