/** Starts an embedded Temporal as a server does, says its pid, and waits to be killed. */
import { startEmbeddedTemporal } from '../../../src/temporal/embedded-server.ts';

const [, , cliPath = '', dataDir = '', namespace = ''] = process.argv;
const server = await startEmbeddedTemporal({
  cliPath,
  dataDir,
  host: '127.0.0.1',
  port: 0,
  uiPort: 0,
  namespaces: [namespace],
  onProgress: () => undefined,
  onExit: () => undefined,
});
process.stdout.write(`temporal ${server.pid}\n`);
// Ends with whoever started it.
process.stdin.once('end', () => process.exit()).resume();
