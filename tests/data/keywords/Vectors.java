// Writes folds.txt and contains.txt into the current folder: how Java compares strings when it ignores case.
// Run it with `java Vectors.java`. The files in this folder come from JDK 17, which knows Unicode 13.

import java.io.PrintWriter;
import java.util.Random;

public class Vectors {
    /** What the replaced producer called: commons-lang's containsIgnoreCase, which goes by regionMatches. */
    static boolean containsIgnoreCase(String text, String term) {
        for (int from = 0; from <= text.length() - term.length(); from++) {
            if (matchesAt(text, term, from)) {
                return true;
            }
        }
        return false;
    }

    /** String.regionMatches(true, ...) as its documentation defines it, char by char; until JDK 15 it was done so. */
    static boolean matchesAt(String text, String term, int from) {
        for (int at = 0; at < term.length(); at++) {
            char one = text.charAt(from + at);
            char other = term.charAt(at);
            char oneUpper = Character.toUpperCase(one);
            char otherUpper = Character.toUpperCase(other);
            boolean same = one == other
                    || oneUpper == otherUpper
                    || Character.toLowerCase(oneUpper) == Character.toLowerCase(otherUpper);
            if (!same) {
                return false;
            }
        }
        return true;
    }

    static boolean byTheLibrary(String text, String term) {
        for (int from = 0; from <= text.length() - term.length(); from++) {
            if (text.regionMatches(true, from, term, 0, term.length())) {
                return true;
            }
        }
        return false;
    }

    static boolean hasSurrogates(String text) {
        return text.chars().anyMatch(unit -> Character.isSurrogate((char) unit));
    }

    static String escaped(String text) {
        StringBuilder out = new StringBuilder();
        for (char unit : text.toCharArray()) {
            out.append(unit > ' ' && unit < 127 && unit != '\\' ? "" + unit : String.format("\\u%04x", (int) unit));
        }
        return out.toString();
    }

    static void folds() throws Exception {
        try (PrintWriter out = new PrintWriter("folds.txt", "UTF-8")) {
            out.println("# Written by Vectors.java: each char that toUpperCase and then toLowerCase change, and what to.");
            for (int c = 0; c < 0x10000; c++) {
                char folded = Character.toLowerCase(Character.toUpperCase((char) c));
                if (folded != c) {
                    out.printf("%04x %04x%n", c, (int) folded);
                }
            }
            out.println("# What this JDK's Unicode does not know, from - until.");
            for (int c = 0, from = -1; c <= 0x10000; c++) {
                boolean unknown = c < 0x10000 && Character.getType(c) == Character.UNASSIGNED;
                if (unknown && from < 0) {
                    from = c;
                } else if (!unknown && from >= 0) {
                    out.printf("%04x - %04x%n", from, c - 1);
                    from = -1;
                }
            }
        }
    }

    static void contains(PrintWriter out, String term, String text) {
        boolean contains = containsIgnoreCase(text, term);
        // Newer JDKs compare surrogate pairs as one character; the replaced producer ran on an older one.
        if (!hasSurrogates(text) && contains != byTheLibrary(text, term)) {
            throw new IllegalStateException(escaped(term) + " in " + escaped(text));
        }
        out.println(contains + " " + escaped(term) + " " + escaped(text));
    }

    public static void main(String[] arguments) throws Exception {
        folds();
        String[] terms = {
            "Bitcoin", "Blockchain", "IoT", "5G", "k", "\u212a", "ss", "\u00df", "\u0130", "\u0131", "\u017f",
            "\u03c3\u03b1\u03c2", "\u03a3\u0391\u03a3", "\u1f80", "\u1fb3x", "\ufb01", "\u01c5", "\u00b5", "\u00ff",
            "\u043a\u043e\u0434", "\ud801\udc00", "\ud83d\ude80", "i\u0307", "a\u0000b", "\u13a0", "\u10d0",
        };
        String[] texts = {
            "#BITCOIN", "patrIOT", "\u0131oT", "\u0130oT", "Bloc\u212ahain", "BTC\u0130TCO\u0130N", "B\u0130TCO\u0130N",
            "b\u0131tco\u0131n", "bit coin", "5\uff27", "\uff15G", "45g7", "K", "\u212a", "\u017f\u017f", "\u00df",
            "\u1e9e",
            "SS", "i", "I", "\u0130", "\u0131", "\u03a3\u03b1\u03c3", "\u03c3\u03ac\u03c2", "\u1f88", "\u1f00\u03b9",
            "\u1fbcX", "\u0391\u0399X", "FI", "\ufb01", "\u01c4", "\u01c6", "\u039c", "\u03bc", "\u0178",
            "\u041a\u041e\u0414",
            "\ud801\udc28", "\ud801\udc00", "\ud83d\ude80!", "I\u0307", "\u0130\u0307", "A\u0000B", "\uab70", "\u1c90",
            "\\u0131oT", "",
        };
        // Chars that fold to each other, and some that do not.
        String alphabet = "iI\u0130\u0131kK\u212asS\u017f\u00b5\u03bc\u039c\u03c2\u03c3\u03a3aA\u00e5\u212b-";
        try (PrintWriter out = new PrintWriter("contains.txt", "UTF-8")) {
            out.println("# Written by Vectors.java: whether Java finds the term (first) in the text (second).");
            for (String term : terms) {
                for (String text : texts) {
                    contains(out, term, text);
                }
            }
            Random random = new Random(1);
            for (int run = 0; run < 400; run++) {
                String term = some(random, alphabet, 1 + random.nextInt(3));
                contains(out, term, some(random, alphabet, random.nextInt(12)));
            }
        }
    }

    static String some(Random random, String alphabet, int length) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < length; i++) {
            out.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        return out.toString();
    }
}
