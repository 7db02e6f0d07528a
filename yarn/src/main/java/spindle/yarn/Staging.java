package spindle.yarn;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * The folder on the cluster's file system where containers get their files from: {@code bin} and {@code lib} hold
 * one copy per content, which nodes then keep, {@code apps} what belongs to one application.
 */
final class Staging {
    static final String BINARY = "spindle";
    static final String JAR = "spindle-yarn.jar";
    private static final FsPermission OPEN_DIR = new FsPermission((short) 0755);
    private static final FsPermission CLOSED_DIR = new FsPermission((short) 0700);
    private static final FsPermission CLOSED_FILE = new FsPermission((short) 0600);

    final FileSystem fs;
    final Path root;
    private final Configuration conf;

    Staging(String root, Configuration conf) throws IOException {
        this.conf = conf;
        Path path = new Path(root);
        fs = path.getFileSystem(conf);
        this.root = fs.makeQualified(path);
    }

    /** Whether it names a file on some cluster's file system, to be used where it is. */
    static boolean isRemote(String path) {
        return path.contains(":/");
    }

    /** Deletes the folder of an application that will not be. */
    void discard(Path dir) {
        try {
            fs.delete(dir, true);
        } catch (IOException e) {
            Log.say(dir + " stays behind: " + Log.cause(e));
        }
    }

    /** What {@link #keep} did. */
    static final class Kept {
        final Settings.Resource resource;
        final String sha256;
        final boolean reused;
        /** The folder of this content; null for a file that stays where it is. */
        final Path dir;

        Kept(Settings.Resource resource, String sha256, boolean reused, Path dir) {
            this.resource = resource;
            this.sha256 = sha256;
            this.reused = reused;
            this.dir = dir;
        }
    }

    /** Sees that a file is there for all applications, under {@code kind/sha256/name}; one on the cluster stays. */
    Kept keep(String kind, String name, int mode, Submission.Given given) throws IOException {
        if (isRemote(given.path)) {
            Path path = new Path(given.path);
            FileSystem its = path.getFileSystem(conf);
            String sha256 = !given.sha256.isEmpty() ? given.sha256 : sha256(its.open(path));
            return new Kept(resource(name, its, its.getFileStatus(path), null), sha256, true, null);
        }
        File local = new File(given.path);
        String sha256 = !given.sha256.isEmpty() ? given.sha256 : sha256(new FileInputStream(local));
        Path dir = new Path(root, kind + "/" + sha256);
        Path path = new Path(dir, name);
        FileStatus there = statusOrNull(path);
        boolean reused = there != null;
        if (reused) {
            touch(fs, dir);
        } else {
            mkdirs(dir, OPEN_DIR);
            Path unfinished = new Path(dir, "." + name + "." + UUID.randomUUID());
            copy(local, unfinished, new FsPermission((short) mode));
            // Another submit may have been faster: then its copy is as good.
            if (!fs.rename(unfinished, path)) {
                fs.delete(unfinished, false);
            }
            there = fs.getFileStatus(path);
        }
        if (there.getLen() != local.length()) {
            throw new IOException(path + " has " + there.getLen() + " bytes, but " + local + " has "
                    + local.length() + ": delete the former and submit again");
        }
        return new Kept(resource(name, fs, there, null), sha256, reused, dir);
    }

    Path appDir(String application) {
        return new Path(root, "apps/" + application);
    }

    void makeAppDir(Path dir) throws IOException {
        mkdirs(root, OPEN_DIR);
        mkdirs(dir.getParent(), CLOSED_DIR);
        mkdirs(dir, CLOSED_DIR);
    }

    /** Writes a file of one application. */
    Settings.Resource write(Path dir, String name, byte[] content) throws IOException {
        Path path = new Path(dir, name);
        try (OutputStream out = create(path, CLOSED_FILE)) {
            out.write(content);
        }
        return resource(name, fs, fs.getFileStatus(path), "APPLICATION");
    }

    /** Copies a user's file for one application. */
    Settings.Resource copy(Path dir, String name, File local) throws IOException {
        Path path = new Path(dir, name);
        copy(local, path, CLOSED_FILE);
        return resource(name, fs, fs.getFileStatus(path), "APPLICATION");
    }

    private void copy(File local, Path path, FsPermission permission) throws IOException {
        try (InputStream in = new FileInputStream(local); OutputStream out = create(path, permission)) {
            byte[] buffer = new byte[1 << 16];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                out.write(buffer, 0, read);
            }
        }
        fs.setPermission(path, permission); // create() takes the umask off
    }

    private OutputStream create(Path path, FsPermission permission) throws IOException {
        short replication = fs.getDefaultReplication(path);
        return fs.create(path, permission, false, 1 << 16, replication, fs.getDefaultBlockSize(path), null);
    }

    private void mkdirs(Path dir, FsPermission permission) throws IOException {
        if (statusOrNull(dir) == null) {
            fs.mkdirs(dir);
            fs.setPermission(dir, permission);
        }
    }

    /** Says that the folder is needed: the {@link Sweep} goes by its time. */
    static void touch(FileSystem fs, Path dir) {
        try {
            fs.setTimes(dir, System.currentTimeMillis(), -1);
        } catch (IOException | UnsupportedOperationException e) {
            Log.say("cannot touch " + dir + ": " + Log.cause(e));
        }
    }

    private FileStatus statusOrNull(Path path) throws IOException {
        try {
            return fs.getFileStatus(path);
        } catch (FileNotFoundException e) {
            return null;
        }
    }

    /** As containers localize it; without a visibility the most shared one that its permissions allow. */
    private static Settings.Resource resource(String name, FileSystem fs, FileStatus status, String visibility)
            throws IOException {
        Settings.Resource resource = new Settings.Resource();
        resource.name = name;
        resource.url = status.getPath().toString();
        resource.size = status.getLen();
        resource.mtime = status.getModificationTime();
        resource.visibility = visibility != null ? visibility : isPublic(fs, status) ? "PUBLIC" : "PRIVATE";
        return resource;
    }

    /** The rule by which a NodeManager accepts a file as public. */
    private static boolean isPublic(FileSystem fs, FileStatus status) throws IOException {
        if (!status.getPermission().getOtherAction().implies(FsAction.READ)) {
            return false;
        }
        for (Path dir = status.getPath().getParent(); dir != null; dir = dir.getParent()) {
            if (!fs.getFileStatus(dir).getPermission().getOtherAction().implies(FsAction.EXECUTE)) {
                return false;
            }
        }
        return true;
    }

    static String sha256(InputStream content) throws IOException {
        try (InputStream in = content) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
            }
            StringBuilder hex = new StringBuilder();
            for (byte b : digest.digest()) {
                hex.append(String.format("%02x", b & 0xff));
            }
            return hex.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JVM has it
        }
    }
}
