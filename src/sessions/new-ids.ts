import { randomBytes } from 'node:crypto';
import {
  type EnvironmentId,
  type RunId,
  type SessionId,
  environmentIdOf,
  idBody,
  runIdOf,
  sessionIdOf,
} from '../domain/ids.ts';

const newBody = (): string => idBody(Date.now(), randomBytes(16));

export const newSessionId = (): SessionId => sessionIdOf(newBody());
export const newRunId = (): RunId => runIdOf(newBody());
export const newEnvironmentId = (): EnvironmentId => environmentIdOf(newBody());
