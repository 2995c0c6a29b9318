/** A create on a session that has ended, or that would have ended before it began. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/storage/database.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import { openSite, type Site, startTestServer, type TestServer } from '../harness/server.ts';
import { connectTo, type TestTemporal } from '../harness/temporal.ts';

let site: Site;
let server: TestServer;
let temporal: TestTemporal;
let database: Database;

beforeAll(async () => {
  site = await openSite();
  server = await startTestServer({ site, environment: { CLOSE_GRACE_SECONDS: '0' } });
  temporal = await connectTo(site.temporalAddress, site.namespace);
  database = openPostgres({ url: site.databaseUrl, poolSize: 2, onProblem: () => undefined });
});

afterAll(async () => {
  await database?.close();
  await temporal?.close();
  await server?.stop();
  await site?.remove();
});

const closedError = 'Session is closed; use a different externalId to create a new session';
const expiredError = 'Session is expired; use a different externalId to create a new session';

const workflowOf = (externalId: string) => temporal.client.workflow.getHandle(`session/dev/${externalId}`);

/** As an operator does it in Temporal UI. */
async function close(externalId: string): Promise<void> {
  await workflowOf(externalId).signal('close', { reason: 'by an operator' });
  await expect.poll(async () => (await server.api.session(externalId)).body.closedAt).not.toBeNull();
}

const rowsCount = async () =>
  (await database.query<{ count: number }>('SELECT count(*) AS count FROM sessions'))[0]?.count;

describe('409', () => {
  test('a closed session, with the header that stops the client from retrying, and nothing altered', async () => {
    await server.api.create({ externalId: 'closed', tags: ['kept'] });
    await close('closed');
    const before = await server.api.session('closed');
    expect(before.body).toMatchObject({ closedReason: 'by an operator', tags: ['kept'] });
    const again = await server.api.create({
      externalId: 'closed',
      tags: ['new'],
      triggerConfig: { basePayload: { new: 1 } },
    });
    expect(again).toMatchObject({ status: 409, body: { error: closedError } });
    expect(Object.keys(again.body)).toEqual(['error']);
    expect(again.headers.get('x-should-retry')).toBe('false');
    expect((await server.api.session('closed')).body).toEqual(before.body);
  });

  test('an expired session: by the timer alone, without any request', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString();
    const { body } = await server.api.create({ externalId: 'expired', expiresAt });
    const expiredAt = async () =>
      (
        await database.query<{ expired_at: Date | null }>('SELECT expired_at FROM gates WHERE session_id = $1', [
          body.id,
        ])
      )[0]?.expired_at;
    await expect.poll(expiredAt, { timeout: 10_000 }).toBeInstanceOf(Date);
    const again = await server.api.create({ externalId: 'expired' });
    expect(again).toMatchObject({ status: 409, body: { error: expiredError } });
    expect(again.headers.get('x-should-retry')).toBe('false');
  });

  test('an expired session whose timer has not fired yet is settled by the create that notices (V11)', async () => {
    const { body } = await server.api.create({ externalId: 'overdue', expiresAt: '2100-01-01T00:00:00Z' });
    await database.query(`UPDATE gates SET expires_at = clock_timestamp() - interval '1 ms' WHERE session_id = $1`, [
      body.id,
    ]);
    expect(await server.api.create({ externalId: 'overdue', expiresAt: '2100-01-01T00:00:00Z' })).toMatchObject({
      status: 409,
    });
    const [gate] = await database.query('SELECT expired_at FROM gates WHERE session_id = $1', [body.id]);
    expect(gate?.['expired_at']).toBeInstanceOf(Date);
  });

  test('a session that has both expired and been closed is closed', async () => {
    const { body } = await server.api.create({ externalId: 'both', expiresAt: '2100-01-01T00:00:00Z' });
    await database.query(
      `UPDATE gates SET expired_at = clock_timestamp(), closed_at = clock_timestamp() WHERE session_id = $1`,
      [body.id],
    );
    expect(await server.api.create({ externalId: 'both' })).toMatchObject({
      status: 409,
      body: { error: closedError },
    });
  });

  test('a new session with an expiry that has passed: no row, no workflow', async () => {
    const before = await rowsCount();
    const answer = await server.api.create({ externalId: 'too-late', expiresAt: '2020-01-01T00:00:00Z' });
    expect(answer).toMatchObject({ status: 409, body: { error: expiredError } });
    expect(await rowsCount()).toBe(before);
    await expect(workflowOf('too-late').describe()).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  test('an open session and an expiry that has passed: refused, and the session stays as it was', async () => {
    await server.api.create({ externalId: 'still-open' });
    const before = await server.api.session('still-open');
    expect((await server.api.create({ externalId: 'still-open', expiresAt: '2020-01-01T00:00:00Z' })).status).toBe(409);
    expect((await server.api.session('still-open')).body).toEqual(before.body);
  });

  test('closing does not free the external id, also after Temporal has forgotten the workflow', async () => {
    await server.api.create({ externalId: 'forgotten' });
    await close('forgotten');
    await expect
      .poll(async () => (await workflowOf('forgotten').describe()).status.name, { timeout: 10_000 })
      .toBe('COMPLETED');
    await temporal.client.workflowService.deleteWorkflowExecution({
      namespace: site.namespace,
      workflowExecution: { workflowId: 'session/dev/forgotten' },
    });
    const isKnown = () =>
      workflowOf('forgotten')
        .describe()
        .then(
          () => true,
          (thrown: unknown) => !(thrown instanceof WorkflowNotFoundError),
        );
    await expect.poll(isKnown, { timeout: 40_000 }).toBe(false);
    expect(await server.api.create({ externalId: 'forgotten' })).toMatchObject({
      status: 409,
      body: { error: closedError },
    });
  });
});
