/** A Temporal of a test's own with one more setting of its dynamic configuration. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PrivateTemporal, startPrivateTemporalWith } from './private-temporal.ts';
import { temporalCliPath } from './temporal.ts';

/** @param setting `KEY=VALUE`, the value in JSON */
export async function startTunedTemporal(setting: string): Promise<PrivateTemporal> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-tuned-'));
  const cliPath = join(folder, 'temporal');
  const script = `#!/bin/sh\nexec '${temporalCliPath()}' "$@" --dynamic-config-value '${setting}'\n`;
  await writeFile(cliPath, script, { mode: 0o755 });
  const server = await startPrivateTemporalWith({ cliPath });
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
