package spindle.yarn;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** The program {@code spindle}: found, fetched where it has to be, and checked before it runs. */
final class Program {
    /** Ours has 20 MB. */
    static final long BYTES_MAX = 512L << 20;
    private static final int SHA256_FILE_BYTES_MAX = 4 << 10;
    private static final int BUFFER = 1 << 16;
    /** What {@link Executable} looks at. */
    private static final int HEAD = 64;

    /** Where files are read from. */
    interface Source {
        /** Null when there is no such file. */
        InputStream open(String path) throws IOException;
    }

    /** A folder of one's own, made when it is asked for. */
    interface Folder {
        Path make() throws IOException, Refused;
    }

    static final Source LOCAL = path -> {
        try {
            return Files.newInputStream(Paths.get(path));
        } catch (NoSuchFileException e) {
            return null;
        }
    };

    /** A path of this machine, or a URL. */
    final String from;
    /** What it must hash to; null: what the file beside it says, if there is one. */
    private final String sha256;

    Program(String from, String sha256) {
        this.from = from;
        this.sha256 = sha256;
    }

    /** {@code --binary}, else {@code named} (the variable SPINDLE_BIN), else the first of the places that has one. */
    static Program find(Arguments arguments, String named, List<Path> places, Path jar) throws IOException, Refused {
        if (arguments.binary != null) {
            return new Program(arguments.binary, arguments.sha256).mustBeThere("--binary " + arguments.binary);
        }
        if (named != null && !named.isEmpty()) {
            if (Secrets.inUrl(named)) {
                throw new Refused(true, "SPINDLE_BIN: the URL holds a password, which would get into messages; put it"
                        + " into Hadoop's configuration (core-site.xml)");
            }
            return new Program(named, arguments.sha256).mustBeThere("SPINDLE_BIN is " + named);
        }
        StringBuilder looked = new StringBuilder();
        for (Path place : places) {
            if (Files.isRegularFile(place)) {
                Places.check(place, jar, Places.me());
                return new Program(place.toString(), arguments.sha256);
            }
            looked.append(looked.length() == 0 ? "" : ", ").append(place);
        }
        throw new Refused(true, "no program: neither --binary nor SPINDLE_BIN is set, and there is none at " + looked
                + "; put spindle beside this jar, or say where it is: --binary FILE or --binary hdfs://...");
    }

    private Program mustBeThere(String said) throws Refused {
        if (!isRemote() && !Files.isRegularFile(Paths.get(from))) {
            throw new Refused(true, said + ", which is no file: correct it, or leave it out");
        }
        return this;
    }

    /** Whether Hadoop has to read it. */
    boolean isRemote() {
        return from.contains("://");
    }

    /** The file to run: this one if it can be run where it is, else a copy. It has the hash that it must have. */
    Path ready(Source source, Folder folder) throws Refused {
        try {
            return checked(source, folder);
        } catch (IOException e) {
            throw new Refused(false, (isRemote() ? "fetch " : "read ") + from + ": " + Log.cause(e)
                    + (isRemote() ? ": can `hadoop fs -ls` read it with the same settings?" : ""));
        }
    }

    private Path checked(Source source, Folder folder) throws IOException, Refused {
        boolean in_place = !isRemote() && Files.isExecutable(Paths.get(from));
        String wanted = sha256 != null ? sha256 : sha256Beside(source);
        Path file = in_place ? Paths.get(from).toAbsolutePath() : folder.make().resolve("spindle");
        if (!in_place || wanted != null) {
            String found = copy(source, in_place ? null : file);
            if (wanted != null && !wanted.equals(found)) {
                throw new Refused(false, from + " is not the program that it must be: its SHA-256 is " + found
                        + ", expected is " + wanted + ": put the right one there, or correct the hash");
            }
        }
        byte[] head = new byte[HEAD];
        try (InputStream in = Files.newInputStream(file)) {
            head = Arrays.copyOf(head, Math.max(0, in.read(head)));
        }
        String fault = Executable.fault(head, System.getProperty("os.arch"));
        if (fault != null) {
            throw new Refused(false, from + " cannot be run: " + fault);
        }
        return file;
    }

    /** Reads all of it, to {@code target} unless that is null; returns its SHA-256. */
    private String copy(Source source, Path target) throws IOException, Refused {
        MessageDigest digest = digest();
        try (InputStream in = open(source); OutputStream out = target == null ? null : create(target)) {
            byte[] buffer = new byte[BUFFER];
            long bytes = 0;
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                bytes += read;
                if (bytes > BYTES_MAX) {
                    throw new Refused(false, from + " has more than " + BYTES_MAX + " bytes: is that the program?");
                }
                digest.update(buffer, 0, read);
                if (out != null) {
                    out.write(buffer, 0, read);
                }
            }
        }
        return String.format("%064x", new BigInteger(1, digest.digest()));
    }

    private InputStream open(Source source) throws IOException, Refused {
        InputStream in = source.open(from);
        if (in == null) {
            throw new Refused(false,
                    "fetch " + from + ": there is no such file: put the program there, or correct --binary");
        }
        return in;
    }

    private static OutputStream create(Path target) throws IOException {
        Files.createFile(target,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        return Files.newOutputStream(target);
    }

    /** What a file of sha256sum's beside the program says; null without one. */
    private String sha256Beside(Source source) throws IOException, Refused {
        String name = from + ".sha256";
        byte[] text = new byte[SHA256_FILE_BYTES_MAX];
        int length = 0;
        try (InputStream in = source.open(name)) {
            if (in == null) {
                return null;
            }
            for (int read = 0; read >= 0 && length < text.length; read = in.read(text, length, text.length - length)) {
                length += read;
            }
        }
        String first = new String(text, 0, length, StandardCharsets.ISO_8859_1).trim().split("\\s")[0];
        if (!isSha256(first.toLowerCase(Locale.ROOT))) {
            throw new Refused(false,
                    name + " does not begin with 64 hexadecimal digits: write it by sha256sum, or remove it");
        }
        return first.toLowerCase(Locale.ROOT);
    }

    static boolean isSha256(String text) {
        return text.matches("[0-9a-f]{64}");
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
