//! Fast CPU operations with their gradients, as candle custom operations. The only room with unsafe code.
