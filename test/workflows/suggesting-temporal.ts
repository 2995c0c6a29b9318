/** A Temporal of a test's own that suggests continue-as-new early: by default it does so after 4,096 events. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PrivateTemporal, startPrivateTemporalWith } from '../harness/private-temporal.ts';
import { temporalCliPath } from '../harness/temporal.ts';

/** A session that was created, ran once and is idle has twelve; each signal adds five. */
export const suggestedEvents = 30;

export async function startSuggestingTemporal(): Promise<PrivateTemporal> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-suggesting-'));
  const cliPath = join(folder, 'temporal');
  const setting = `limit.historyCount.suggestContinueAsNew=${suggestedEvents}`;
  const script = `#!/bin/sh\nexec '${temporalCliPath()}' "$@" --dynamic-config-value ${setting}\n`;
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
