// planted: tidy sleep-in-test
import { setTimeout as sleep } from 'node:timers/promises';

await sleep(1_000);
