/** What a person needs after `npm start`: where everything is, and first calls that work when pasted. */
import type { RunningServer } from './main.ts';

export function welcome(server: RunningServer): string {
  const key = server.devKey ?? '<your secret key>';
  const authorization = `-H 'Authorization: Bearer ${key}'`;
  const streams = `${server.apiUrl}/realtime/v1/sessions/chat_1`;
  const body = JSON.stringify({
    type: 'chat.agent',
    externalId: 'chat_1',
    taskIdentifier: 'my-chat',
    triggerConfig: { basePayload: { chatId: 'chat_1' }, tags: ['chat:chat_1'] },
  });
  return [
    '',
    'Perdure is up.',
    '',
    `  API          ${server.apiUrl}`,
    `  Temporal UI  ${server.temporalUiUrl ?? `(yours, of ${server.temporalAddress})`}`,
    `  Secret key   ${key}`,
    '',
    'Create a first session; the demo task `my-chat` runs it:',
    '',
    `  curl -s -X POST ${server.apiUrl}/api/v1/sessions \\`,
    `    ${authorization} \\`,
    "    -H 'Content-Type: application/json' \\",
    `    -d '${body}'`,
    '',
    'Say something to it, and read what it answers:',
    '',
    `  curl -s -X POST ${streams}/in/append ${authorization} -d 'hello there'`,
    '',
    `  curl -sN ${streams}/out ${authorization}`,
    '',
    'Ctrl-C stops everything. Sessions are kept for the next start.',
    '',
    '',
  ].join('\n');
}
