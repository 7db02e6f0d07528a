package spindle.yarn;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads lines of UTF-8 that have a greatest length. */
final class Lines {
    private final InputStream in;
    private final int max;

    Lines(InputStream in, int max) {
        this.in = new BufferedInputStream(in);
        this.max = max;
    }

    /** The next line without its end; null at the end of the stream, also after a line that has no end. */
    String next() throws IOException, Malformed {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                return null;
            }
            Malformed.unless(line.size() < max, "a line is longer than " + max + " bytes");
            line.write(b);
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line.toByteArray())).toString();
        } catch (CharacterCodingException e) {
            String start = new String(line.toByteArray(), 0, Math.min(line.size(), 80), StandardCharsets.US_ASCII);
            throw new Malformed("a line is not UTF-8: " + start);
        }
    }
}
