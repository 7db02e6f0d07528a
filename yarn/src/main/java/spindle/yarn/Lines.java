package spindle.yarn;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads lines of UTF-8 that have a greatest length. */
final class Lines {
    private final InputStream in;
    private final int max;
    private byte[] buffer = new byte[1 << 13];
    private int from;
    private int until;

    Lines(InputStream in, int max) {
        this.in = in;
        this.max = max;
    }

    /** The next line without its end; null at the end of the stream, also after a line that has no end. */
    String next() throws IOException, Malformed {
        int searched = from;
        while (true) {
            for (; searched < until; searched++) {
                if (buffer[searched] == '\n') {
                    String line = text(from, searched - from);
                    from = searched + 1;
                    return line;
                }
            }
            if (until - from > max) {
                throw new Malformed("a line is longer than " + max + " bytes");
            }
            searched -= from;
            makeRoom();
            int read = in.read(buffer, until, buffer.length - until);
            if (read < 0) {
                return null;
            }
            until += read;
        }
    }

    /** Moves what is left to the front; gives back a large buffer as soon as it can, grows it when it must. */
    private void makeRoom() {
        int left = until - from;
        int size = Math.min(Math.max(1 << 13, 2 * left), max + 1);
        if (size != buffer.length || from > 0) {
            byte[] next = size == buffer.length ? buffer : new byte[size];
            System.arraycopy(buffer, from, next, 0, left);
            buffer = next;
        }
        from = 0;
        until = left;
    }

    private String text(int from, int length) throws Malformed {
        if (length > max) {
            throw new Malformed("a line is longer than " + max + " bytes");
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(buffer, from, length)).toString();
        } catch (CharacterCodingException e) {
            byte[] start = Arrays.copyOfRange(buffer, from, from + Math.min(length, 80));
            throw new Malformed("a line is not UTF-8: " + new String(start, StandardCharsets.US_ASCII));
        }
    }
}
