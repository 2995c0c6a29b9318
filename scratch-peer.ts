import { createStopStack } from './src/stop-stack.ts';
import { startDurableStreams } from './bench/append/durable-streams-server.ts';
import { appenderAt, writersOf } from './bench/append/appender.ts';
import { closedLoop } from './bench/closed-loop.ts';
import { processorMs } from './bench/processor-time.ts';
import { readBodyOf, splitEvents } from './bench/append/event-reader.ts';
const stops = createStopStack((p) => console.error(p));
try {
const peer = await startDurableStreams(stops);
const a = await appenderAt(peer);
const w = writersOf([a], 64);
const n = Number(process.argv[2] ?? 4000);
const meter = async (name: string, n: number, work: () => Promise<unknown>) => {
  const b = processorMs([peer.pid]) ?? 0; const t = performance.now(); const c0 = process.cpuUsage();
  await work(); const ms = performance.now() - t; const c = process.cpuUsage(c0);
  console.log(name, '/s', (n * 1000 / ms).toFixed(0), 'server ms each', (((processorMs([peer.pid]) ?? 0) - b) / n).toFixed(4), 'client', ((c.user + c.system) / 1000 / n).toFixed(4));
};
await meter('append', n, () => closedLoop({ calls: n, inFlight: 64, timeMs: 60000 }, w.appendOne));
for (let i = 0; i < 5; i++) await meter('readback', n, () => a.readBack());
} finally { await stops.stop(); }
process.exit(0);
