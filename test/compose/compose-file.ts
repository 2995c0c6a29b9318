/** docker-compose.yml as Docker Compose would read it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { interpolate } from './interpolate.ts';

export interface ServiceDefinition {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number | boolean>>;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly restart?: string;
  readonly volumes?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly profiles?: readonly string[];
  readonly privileged?: boolean;
  readonly read_only?: boolean;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ServiceDefinition>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly configs?: Readonly<Record<string, { readonly content: string }>>;
}

export const composeText = (): string => readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');

/** @param variables of the shell, or of the `.env` file beside it */
export function readCompose(text: string, variables: Readonly<Record<string, string>>): ComposeFile {
  return parse(text, (_key, value: unknown) => (typeof value === 'string' ? interpolate(value, variables) : value), {
    merge: true,
  }) as ComposeFile;
}

export const servicesOf = (compose: ComposeFile): (readonly [name: string, service: ServiceDefinition])[] =>
  Object.entries(compose.services);

/** The services that run our own image. */
export const ownServicesOf = (compose: ComposeFile) =>
  servicesOf(compose).filter(([, service]) => service.build !== undefined);
