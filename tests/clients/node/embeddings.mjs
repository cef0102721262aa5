// Calls a server with the openai package and prints what it gives as JSON: node embeddings.mjs URL KEY REQUEST.

import OpenAI, {APIError} from 'openai';

const [baseURL, apiKey, request] = process.argv.slice(2);
const client = new OpenAI({baseURL, apiKey, maxRetries: 0});

try {
  const answer = await client.embeddings.create(JSON.parse(request));
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  console.log(JSON.stringify({answer, models}));
} catch (error) {
  if (!(error instanceof APIError)) throw error;
  const {status, code, param, message} = error;
  console.log(JSON.stringify({error: {kind: error.constructor.name, status, code, param, message}}));
}
