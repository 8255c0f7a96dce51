/** What `lift mcp` offers to other programs. What it says is for a model to read. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import type { AskResult } from '../../protocol/host.ts';
import type { Services } from '../services.ts';
import { sourceLines } from './ask-command.ts';
import { percent } from './number-text.ts';

/** Serves one client on standard input and output until the connection is closed. */
export function serveMcp(services: Services, folder: string, version: string): { close(): Promise<void> } {
  return serveStdio(() => serverFor(services, folder, version));
}

const shortFacts =
  'short factual questions: where a symbol is defined, its signature, what calls it, what a file is for, the value of a ' +
  'constant, what a section of the documentation says';

/** Two tools, which change nothing. */
function serverFor(services: Services, folder: string, version: string): McpServer {
  const server = new McpServer({ name: 'lift', version });
  const annotations = { readOnlyHint: true, openWorldHint: false };
  server.registerTool(
    'ask_codebase',
    {
      title: 'Ask LIFT about this code',
      description:
        `Asks a small local model that was fine-tuned on the code and documentation in ${folder}. It answers ${shortFacts}. ` +
        'The answer comes with the places that were checked to exist. It knows no other code and does not reason.',
      inputSchema: z.object({
        question: z.string().trim().min(1).describe('One short question, such as: Where is parseHeader defined?'),
      }),
      annotations,
    },
    async ({ question }, { mcpReq }) => {
      const answer = await services.ask(
        {
          folder,
          question,
          openFiles: [],
          useAdapter: true,
          temperature: 0,
          topP: 1,
          maxTokens: 256,
          conversation: [],
        },
        () => {},
        mcpReq.signal,
      );
      return { content: [{ type: 'text', text: answerText(answer) }], isError: answer.version === null };
    },
  );
  server.registerTool(
    'codebase_status',
    {
      title: 'What LIFT knows of this code',
      description: `How much of ${folder} the model behind ask_codebase has absorbed, and how many files changed since.`,
      annotations,
    },
    async () => {
      const { absorbed, documents, dirty, model } = await services.status(folder);
      const text = `${percent(absorbed)} of ${documents} files absorbed by ${model}; files changed since: ${dirty}`;
      return { content: [{ type: 'text', text }] };
    },
  );
  return server;
}

function answerText(answer: AskResult): string {
  if (answer.version === null) {
    return 'Nothing of this folder has been absorbed yet. Its user runs `lift absorb <folder>` first, or LIFT: Absorb Workspace.';
  }
  return [answer.answer, ...sourceLines(answer)].join('\n');
}
