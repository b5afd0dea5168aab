// The parser of server-sent events, over pieces that are cut anywhere.
import { describe, expect, it } from 'vitest';
import { SseParser, type SseEvent } from '../src/api/sse';

const STREAM = 'id: 7\nevent: log\ndata: {"a":1}\n\n: alive\n\ndata: one\ndata: two\n\n';
const EVENTS: SseEvent[] = [
  { event: 'log', data: '{"a":1}', id: '7' },
  { event: 'message', data: 'one\ntwo', id: '7' },
];

function read(pieces: readonly string[]): SseEvent[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe('server-sent events', () => {
  it('are the same wherever the stream is cut', () => {
    for (let cut = 0; cut <= STREAM.length; cut += 1) {
      expect(read([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(EVENTS);
    }
    expect(read([...STREAM])).toEqual(EVENTS);
  });

  it('may end their lines in any of three ways, cut within one too', () => {
    const windows = STREAM.replaceAll('\n', '\r\n');
    expect(read([...windows])).toEqual(EVENTS);
    expect(read([windows])).toEqual(EVENTS);
    expect(read([STREAM.replaceAll('\n', '\r')])).toEqual(EVENTS);
  });

  it('keep colons and all but the first space of their data', () => {
    expect(read(['data:  a: b\n\n'])[0]?.data).toBe(' a: b');
    expect(read(['\uFEFFdata:x\n\n'])[0]?.data).toBe('x');
  });

  it('are nothing without data or before their empty line', () => {
    expect(read(['id: 3\n\n', 'event: x\n\n', 'data: half\n'])).toEqual([]);
  });

  it('remember an id that came without data', () => {
    expect(read(['id: 3\n\ndata: x\n\n'])).toEqual([{ event: 'message', data: 'x', id: '3' }]);
  });
});
