import { storeOfConfig } from './config.ts';
import { jitterMs } from './domain/clock.ts';
import { newName } from './domain/impure-import.ts';
import { here } from './domain/platform.ts';
import { today } from './domain/wall-clock.ts';
import { storeOfHttp } from './http/reads-storage.ts';
import { less } from './imports-test-code.ts';
import { anyPort } from './main.ts';
import { found } from './missing-import.ts';
import { storeOfObserve } from './observe/reads-storage.ts';
import { storeOfS2 } from './s2/reads-storage.ts';
import { one } from './sessions/cycle-one.ts';
import { two } from './sessions/cycle-two.ts';
import { storeOfSessions } from './sessions/reads-storage.ts';
import { storeOfStorage } from './storage/answers-http.ts';
import { lengthOf } from './storage/any-type.ts';
import { badName } from './storage/BadName.ts';
import { shout } from './storage/console-output.ts';
import unnamed from './storage/default-export.ts';
import { forgetAnswer } from './storage/floating-promise.ts';
import { names } from './storage/import-order.ts';
import { storeAll } from './storage/misused-promise.ts';
import { nameOf } from './storage/needless-default.ts';
import { priceOf } from './storage/partial-switch.ts';
import { SessionManager } from './storage/session-manager.ts';
import { wordFor } from './storage/too-complex.ts';
import { sumOf } from './storage/too-many-parameters.ts';
import { count } from './storage/type-error.ts';
import { defaultStore } from './storage/type-import.ts';
import { spaced } from './storage/unformatted.ts';
import { storeOfStreams } from './streams/reads-storage.ts';
import { storeOfTasks } from './tasks/reads-storage.ts';
import { storeOfTemporal } from './temporal/reads-storage.ts';
import { storeOfTokens } from './tokens/reads-storage.ts';

process.exitCode = [
  storeOfConfig,
  jitterMs,
  newName,
  here,
  today,
  storeOfHttp,
  less,
  anyPort,
  found,
  storeOfObserve,
  storeOfS2,
  one,
  two,
  storeOfSessions,
  badName,
  storeOfStorage,
  lengthOf,
  shout,
  unnamed,
  forgetAnswer,
  names,
  storeAll,
  nameOf,
  priceOf,
  SessionManager,
  wordFor,
  sumOf,
  count,
  defaultStore,
  spaced,
  storeOfStreams,
  storeOfTasks,
  storeOfTemporal,
  storeOfTokens,
].length;
