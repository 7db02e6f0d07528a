package spindle.yarn;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads lines of UTF-8 that have a greatest length. */
final class Lines {
    private static final int SMALL = 1 << 13;

    private final InputStream in;
    private final int max;
    private byte[] buffer = new byte[SMALL];
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

    /** Moves what is left to the front, into more room when it fills all, into less when it is little. */
    private void makeRoom() {
        int left = until - from;
        int size = buffer.length;
        if (left == size) {
            size = Math.min(2 * size, max + 1);
        } else if (left <= SMALL / 2) {
            size = SMALL;
        }
        byte[] next = size == buffer.length ? buffer : new byte[size];
        System.arraycopy(buffer, from, next, 0, left);
        buffer = next;
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
