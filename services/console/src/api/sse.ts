// Server-sent events out of text that comes in pieces, as the HTML standard (section 9.2.6) reads them. Pure.

export interface SseEvent {
  event: string;
  data: string;
  /** The last id that was told so far. */
  id: string;
}

export class SseParser {
  private rest = '';
  private lines: string[] = [];
  private id = '';
  private isFirst = true;
  private endedInReturn = false;

  /** Takes a piece, and gives every event that it completes. */
  push(piece: string): SseEvent[] {
    let text = piece;
    if (this.isFirst && text) {
      text = text.replace(/^\uFEFF/, '');
      this.isFirst = false;
    }
    // A line end of two characters may be cut between them.
    if (this.endedInReturn && text.startsWith('\n')) text = text.slice(1);
    if (piece) this.endedInReturn = piece.endsWith('\r');
    const parts = (this.rest + text).split(/\r\n|\r|\n/);
    this.rest = parts.pop() ?? '';
    return parts.flatMap((line) => this.line(line));
  }

  private line(line: string): SseEvent[] {
    if (line !== '') {
      this.lines.push(line);
      return [];
    }
    const lines = this.lines;
    this.lines = [];
    let event = 'message';
    const data: string[] = [];
    for (const one of lines) {
      const colon = one.indexOf(':');
      if (colon === 0) continue;
      const name = colon < 0 ? one : one.slice(0, colon);
      const value = colon < 0 ? '' : one.slice(colon + 1).replace(/^ /, '');
      if (name === 'event') event = value;
      else if (name === 'data') data.push(value);
      else if (name === 'id' && !value.includes('\0')) this.id = value;
    }
    return data.length > 0 ? [{ event, data: data.join('\n'), id: this.id }] : [];
  }
}
