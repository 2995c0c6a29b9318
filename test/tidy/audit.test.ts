/** The audit against a registry of our own: high findings fail, low ones and a silent registry do not. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runStep } from '../../scripts/run-step.mjs';
import { audit } from '../../scripts/steps.mjs';

let advisories: Record<string, unknown> = {};
const registry = createServer((request, response) => {
  const known = request.url?.endsWith('/advisories/bulk') === true;
  response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(known ? advisories : {}));
});
/** npm remembers advisories by id; ours must not end up in a cache that real audits read. */
const cache = mkdtempSync(join(tmpdir(), 'perdure-audit-'));
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  port = (registry.address() as AddressInfo).port;
});
afterAll(() => {
  registry.close();
  rmSync(cache, { recursive: true, force: true });
});

const advisory = (id: number, severity: string) => ({
  pino: [{ id, url: 'https://example.test/1', title: 'planted', severity, vulnerable_versions: '*', cwe: [] }],
});

const runAudit = (registryPort: number) =>
  runStep(audit, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    environment: { npm_config_registry: `http://127.0.0.1:${registryPort}/`, npm_config_cache: cache },
  });

test('a finding of high severity in a production dependency fails', async () => {
  advisories = advisory(1, 'high');
  const { ok, output } = await runAudit(port);
  expect(output).toContain('high: pino');
  expect(ok).toBe(false);
});

test('a finding of low severity passes', async () => {
  advisories = advisory(2, 'low');
  const { ok, output } = await runAudit(port);
  expect(output).toContain('none of high severity');
  expect(ok).toBe(true);
});

test('a registry that does not answer skips the audit and says so', async () => {
  const closedPort = 9;
  const { ok, output } = await runAudit(closedPort);
  expect(output).toMatch(audit.skipped ?? 'audit skipped');
  expect(ok).toBe(true);
});
