// One answer of a deployed model, piece by piece, as OpenAI's chat completions stream it.
import { headers, send } from '../../api/client';
import { events } from '../../api/follow';
import { Problem } from '../../api/problem';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Settings {
  model: string;
  temperature: number;
  max_tokens: number;
}

interface Piece {
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  error?: { message?: string; code?: string };
}

/** What a piece says: its text, and why the answer ended where it did. Pure. */
export function read(data: string): { text: string; ended: string | null } {
  if (data === '[DONE]') return { text: '', ended: null };
  const piece = JSON.parse(data) as Piece;
  if (piece.error) throw new Problem(503, piece.error.code ?? '', piece.error.message ?? '');
  const choice = piece.choices?.[0];
  return { text: choice?.delta?.content ?? '', ended: choice?.finish_reason ?? null };
}

/** Asks, calls `onText` for each piece, and gives the reason of the end. */
export async function answer(messages: readonly Message[], settings: Settings, onText: (text: string) => void, signal: AbortSignal): Promise<string | null> {
  const response = await send('/v1/chat/completions', {
    method: 'POST',
    headers: headers({ 'Content-Type': 'application/json' }),
    body: JSON.stringify({ ...settings, messages, stream: true }),
    signal,
  });
  let ended: string | null = null;
  await events(response, () => undefined, (event) => {
    const piece = read(event.data);
    if (piece.text) onText(piece.text);
    ended = piece.ended ?? ended;
  });
  return ended;
}
